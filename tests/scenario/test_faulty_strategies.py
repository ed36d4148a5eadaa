"""Strategies that raise, hang, leak or end their process are isolated, and the others trade on (B1, B6, C4)."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.loader import SHIPPED
from domain.commands import Verb
from domain.errors import Busy, CommandRefused, NotRunning
from supervisor.control_client import ControlClient
from tests.scenario.bars import market, rows, write_csv
from tests.scenario.engine import command_line, environment
from tests.scenario.processes import Traces
from tests.scenario.settings import write_config

FAULTY = ("raises", "hangs", "leaks", "exits")
PATIENCE_S = 90.0


def configured(folder: Path) -> Path:
    """Write the shipped strategies and the faulty ones, in a book of their own, with bounds that are soon reached."""
    write_config(
        folder, "engine.yaml", {"runtime.signal_deadline_s": 1.0, "supervision.strategy_memory_mib": 400}
    )
    (folder / "faulty.py").write_text(
        Path(__file__).with_name("faulty_strategies.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    strategies = yaml.safe_load((SHIPPED / "strategies.yaml").read_text(encoding="utf-8"))
    strategies["strategies"] += [{"id": name, "strategy": name, "file": "faulty.py"} for name in FAULTY]
    books = yaml.safe_load((SHIPPED / "books.yaml").read_text(encoding="utf-8"))
    books["books"][0]["share"] = 0.8
    faulty = {"id": "faulty", "share": 0.2, "rule": "independent", "min_votes": 1, "allow_short": False}
    books["books"].append({**faulty, "strategies": list(FAULTY)})
    (folder / "strategies.yaml").write_text(yaml.safe_dump(strategies), encoding="utf-8")
    (folder / "books.yaml").write_text(yaml.safe_dump(books), encoding="utf-8")
    return folder


@pytest.fixture
def traces(tmp_path: Path) -> Iterator[Traces]:
    made = Traces(tmp_path)
    yield made
    made.kill()


def roles_of(state: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = ControlClient(state, 2.0).ask(Verb.STATUS).get("roles", {})
    except (NotRunning, Busy, CommandRefused):
        return {}
    return found


@pytest.mark.ray
@pytest.mark.timeout(240)
def test_faulty_strategies_are_put_out_each_with_its_reason_and_the_others_trade_on(
    tmp_path: Path, traces: Traces
) -> None:
    data = write_csv(tmp_path / "bars.csv", rows(market(sessions=260)))
    arguments = ("--data", data, "--config", configured(tmp_path / "config"), "--state", tmp_path / "state")
    run = subprocess.Popen(
        command_line("run", "--json", "--details", "--speed", "6", *arguments),
        env=environment(**traces.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    why: dict[str, str] = {}
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s and len(why) < len(FAULTY) - 1 and run.poll() is None:
        roles = roles_of(tmp_path / "state")
        for name in FAULTY:
            role = roles.get(f"strategy:{name}", {})
            if role.get("status") == "quarantined":
                why[name] = role["why"]
        time.sleep(0.2)
    out, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    assert set(why) == {"hangs", "leaks", "exits"}, err
    assert "hung: at one message for" in why["hangs"] or "no answer within the deadline" in why["hangs"]
    assert why["leaks"].startswith("memory: ")
    assert why["exits"] == "its process ended"
    summary = json.loads(out)
    assert summary["completed"]
    assert summary["halts"] == 0
    last = max(fill["bar"] for fill in summary["details"]["fills"])
    assert last > 200, "the others traded on after the faults"
    assert summary["strategy_failures"]["raises"] > 30
    assert not traces.left()
