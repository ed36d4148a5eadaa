"""Try the channels, and see in a status which of them lose alerts (requirement C8)."""

from __future__ import annotations

import io
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.status_text import print_status
from tests.alert_servers import channels, mail_server, refused_url, webhook
from tests.scenario.settings import write_config
from tests.unit.cli.conftest import Invoke, Traded

CANARY = "canary7f3asecret"


def configured(folder: Path, monkeypatch: pytest.MonkeyPatch, **urls: str) -> Path:
    """Write channels of these names with the log beside them, and put their URLs into the environment."""
    targets = {name: f"BREAKWATER_ALERT_{name.upper()}" for name in urls}
    for name, url in urls.items():
        monkeypatch.setenv(targets[name], url)
    return write_config(folder / "config", "alerts.yaml", {"channels": channels(log="log", **targets)})


def test_every_channel_is_sent_one_message(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook() as hook, mail_server() as (mail, mail_url):
        config = configured(tmp_path, monkeypatch, hook=hook.url(), mail=mail_url)
        result = invoke("alerts", "test", "--config", config, "--state", tmp_path / "none", "--json")
        assert result.exit_code == 0, result.output
        assert hook.titles() == ["Breakwater: this channel works"]
        assert len(mail.messages) == 1
    told = json.loads(result.stdout)
    assert told["ok"] is True
    assert [(each["channel"], each["delivered"], each["error"]) for each in told["channels"]] == [
        ("log", True, ""),
        ("hook", True, ""),
        ("mail", True, ""),
    ]
    assert not (tmp_path / "none").exists()


def test_channel_that_fails_is_named_with_its_reason_and_no_secret(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        hook = stack.enter_context(webhook(status=500))
        config = configured(tmp_path, monkeypatch, hook=hook.url(CANARY), gone=refused_url(CANARY))
        result = invoke("alerts", "test", "--config", config, "--state", tmp_path, "--json")
        text = invoke("alerts", "test", "--config", config, "--state", tmp_path)
    assert (result.exit_code, text.exit_code) == (1, 1)
    told = {each["channel"]: each for each in json.loads(result.stdout)["channels"]}
    assert told["log"]["delivered"]
    assert "error=500" in told["hook"]["error"]
    assert "Connection error" in told["gone"]["error"]
    assert "failed" in text.output
    assert CANARY not in result.output + text.output


def test_one_channel_alone_can_be_tried(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(tmp_path, monkeypatch, gone=refused_url())
    result = invoke("alerts", "test", "--channel", "log", "--config", config, "--state", tmp_path, "--json")
    assert [each["channel"] for each in json.loads(result.stdout)["channels"]] == ["log"]
    unknown = invoke("alerts", "test", "--channel", "mail", "--config", config, "--state", tmp_path)
    assert unknown.exit_code == 2
    assert "'mail'; allowed: log, gone" in unknown.stderr


def test_log_of_an_engine_that_ran_takes_the_message(invoke: Invoke, traded: Traded) -> None:
    assert invoke("alerts", "test", "--state", traded.path).exit_code == 0
    assert "this channel works" in (traded.path / "logs" / "alerts.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [("config", "validate"), ("run", "--runtime", "inline")])
def test_url_of_a_kind_that_apprise_does_not_know_is_refused_before_anything_starts(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    config = configured(tmp_path, monkeypatch, hook=f"nosuch://{CANARY}")
    state = () if command[0] == "config" else ("--state", tmp_path / "state")
    result = invoke(*command, "--config", config, *state, "--json")
    assert result.exit_code == 4
    assert "BREAKWATER_ALERT_HOOK" in result.stdout
    assert "Apprise does not take it" in result.stdout
    assert CANARY not in result.output
    assert not (tmp_path / "state").exists()


def test_channel_whose_variable_is_not_set_fails_alone(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(tmp_path, monkeypatch, hook="json://127.0.0.1/")
    monkeypatch.delenv("BREAKWATER_ALERT_HOOK")
    result = invoke("alerts", "test", "--config", config, "--state", tmp_path, "--json")
    told = {each["channel"]: each for each in json.loads(result.stdout)["channels"]}
    assert (result.exit_code, told["log"]["delivered"], told["hook"]["delivered"]) == (1, True, False)
    assert "BREAKWATER_ALERT_HOOK is not set" in told["hook"]["error"]


def status(*alerts: dict[str, Any]) -> str:
    out = io.StringIO()
    stands = {"running": True, "phase": "running", "session": 1, "rung": "ACTIVE", "scoped": []}
    print_status(Console(file=out, width=200), {**stands, "alerts": list(alerts)})
    return out.getvalue()


def figures(**others: Any) -> dict[str, Any]:
    well = {
        "channel": "mail",
        "delivered": 4,
        "failed": 0,
        "dropped": 0,
        "waiting": 0,
        "error": "",
        "took_s": 0.1,
    }
    return {**well, **others}


def test_status_names_a_channel_that_loses_alerts_and_no_other() -> None:
    assert "Alerts" not in status(figures())
    lost = status(figures(), figures(channel="hook", failed=2, dropped=1, error="error=500"))
    assert "hook: 4 delivered, 2 failed, 1 dropped: error=500" in lost
    assert "mail" not in lost
