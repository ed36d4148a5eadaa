"""A halt reaches people by every channel, whoever halts and wherever the engine runs (requirements B1, B2, C8)."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.alert_servers import Mailbox, Webhook, channels, mail_server, mail_text, silent_server, webhook
from tests.scenario.bars import market, rows, write_csv
from tests.scenario.engine import breakwater, command_line, environment, run_json
from tests.scenario.processes import Traces
from tests.scenario.settings import tight, write_config

CANARY = "canary7f3asecret"
WITHIN_S = 10.0
"""From the command's start, on a loaded machine too; what it takes is measured in benchmarks/bench_alerts.py."""


@dataclass
class Outside:
    """Be a webhook, a mail server and a server that never answers, and an engine configured to alert all of them."""

    hook: Webhook
    mail: Mailbox
    variables: Mapping[str, str]
    config: Path
    state: Path
    traces: Traces

    def run(self, *arguments: str | Path) -> subprocess.Popen[str]:
        command = command_line("run", "--json", *arguments, "--config", self.config, "--state", self.state)
        return subprocess.Popen(
            command,
            env=environment(**self.variables, **self.traces.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, *arguments: str) -> dict[str, Any]:
        done = breakwater(*arguments, "--state", self.state, "--json", env=self.variables)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def await_phase(self, phase: str, within_s: float = 60.0) -> None:
        until = time.monotonic() + within_s
        while self.ask("status").get("phase") != phase:
            assert time.monotonic() < until, f"the engine is not {phase} after {within_s:g} s"
            time.sleep(0.2)


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    with ExitStack() as stack:
        hook = stack.enter_context(webhook())
        mail, mail_url = stack.enter_context(mail_server())
        dead = stack.enter_context(silent_server())
        variables = {
            "BREAKWATER_ALERT_HOOK": hook.url(CANARY),
            "BREAKWATER_ALERT_MAIL": mail_url,
            "BREAKWATER_ALERT_DEAD": dead,
        }
        targets = {name.rpartition("_")[2].lower(): name for name in variables}
        changes = {"channels": channels(log="log", **targets), "closing_s": 0.5}
        config = write_config(tmp_path / "config", "alerts.yaml", changes)
        traces = Traces(tmp_path)
        yield Outside(hook, mail, variables, config, tmp_path / "state", traces)
        traces.kill()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "bars.csv", rows(market(sessions=2_000)))


@pytest.mark.parametrize("runtime", [pytest.param("ray", marks=pytest.mark.ray), "inline"])
def test_persons_halt_reaches_webhook_and_mail_beside_a_dead_channel_and_delays_nothing(
    outside: Outside, data: Path, runtime: str
) -> None:
    run = outside.run("--data", data, "--runtime", runtime, "--speed", "40")
    outside.await_phase("running")
    begun = time.monotonic()
    halted = outside.ask("halt", "--reason", "a storm", "--as", "ann")
    assert halted["effective"]
    (posted,) = outside.hook.wait(within_s=WITHIN_S)
    (mail,) = outside.mail.wait(within_s=WITHIN_S)
    assert max(outside.hook.messages[0][0], outside.mail.messages[0][0]) - begun < WITHIN_S
    assert posted["title"] == "the account is HALTED: manual"
    assert posted["type"] == "failure"
    for text in (posted["message"], mail_text(mail)):
        assert "trigger: manual" in text
        assert "ann" in text
        assert "a storm" in text
        assert "equity: " in text
        assert "the account: HALTED" in text
    before = outside.ask("status")
    time.sleep(0.5)
    after = outside.ask("status")
    told = {each["channel"]: each for each in after["alerts"]}
    assert [told[name]["delivered"] for name in ("log", "hook", "mail", "dead")] == [1, 1, 1, 0]
    if runtime == "ray":  # inline nobody looks at the feed from outside
        assert after["views"]["feed"]["next"] > before["views"]["feed"]["next"]
    assert outside.ask("stop", "--reason", "enough")["ok"]
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, out + err
    written = [path for path in outside.state.rglob("*") if path.is_file()]
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []
    assert CANARY not in out + err


def test_halt_that_no_engine_hears_is_told_by_the_channels_of_the_session(
    outside: Outside, data: Path
) -> None:
    done = run_json(
        "--runtime",
        "inline",
        "--data",
        data,
        "--config",
        outside.config,
        "--state",
        outside.state,
        env=outside.variables,
    )
    assert done["halts"] is not None
    halted = outside.ask("halt", "--reason", "a storm")
    (posted,) = outside.hook.wait()
    assert posted["title"] == "the account is HALTED: latch file"
    assert "a storm" in posted["message"]
    told = {each["channel"]: each["delivered"] for each in halted["alerts"]}
    assert told == {"log": 1, "hook": 1, "mail": 1, "dead": 0}
    assert "dead: " in halted["detail"]
    assert CANARY not in json.dumps(halted)


def test_halt_stands_where_the_configuration_that_names_the_channels_is_gone(
    outside: Outside, data: Path
) -> None:
    run_json(
        "--runtime",
        "inline",
        "--data",
        data,
        "--config",
        outside.config,
        "--state",
        outside.state,
        env=outside.variables,
    )
    (outside.config / "alerts.yaml").write_text("channels: none\n", encoding="utf-8")
    halted = outside.ask("halt", "--reason", "a storm")
    assert halted["ok"]
    assert "nobody was alerted, for the configuration is refused" in halted["detail"]
    assert outside.ask("status")["file_rung"] == "HALTED"


@pytest.mark.parametrize("replayed", ["log", "all"])
def test_what_a_replay_lives_through_is_in_the_log_and_reaches_people_only_where_configured(
    outside: Outside, data: Path, replayed: str
) -> None:
    changes = {
        "channels": channels(log="log", hook="BREAKWATER_ALERT_HOOK"),
        "replayed": replayed,
        "queue": 10_000,
        "closing_s": 30.0,
    }
    config = tight(write_config(outside.config, "alerts.yaml", changes))
    done = run_json(
        "--runtime",
        "inline",
        "--data",
        data,
        "--config",
        config,
        "--state",
        outside.state,
        env=outside.variables,
    )
    assert done["halts"] > 0
    log = (outside.state / "logs" / "alerts.log").read_text(encoding="utf-8").splitlines()
    told = [each["title"] for each in map(json.loads, log) if each["event"] == "alert"]
    raised = [title for title in told if " is HALTED: " in title or " is REDUCING: " in title]
    assert len(raised) >= done["halts"]
    assert outside.hook.titles() == (told if replayed == "all" else [])
