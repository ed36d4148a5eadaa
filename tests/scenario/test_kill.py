"""`breakwater kill` stops the account whatever has become of the engine, and the next run's books are the venue's.

Issue: show 4; reliability: kill with coordinator, Ray or engine dead or hung; I1 to I6.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from domain.outbox import AuditKind
from simulation.venue.launch import MODULE as VENUE
from storage.audit.index import AuditIndex
from storage.audit.query import AuditQuery, AuditRecord, run_query
from storage.engine import sqlite_url
from tests.chaos.live.oracle import assert_nothing_lost_or_doubled
from tests.chaos.live.running import DRIVER, RunningEngine
from tests.contract.venue_benches import SocketBench
from tests.contract.venue_world import bar, buy, group, limit, settings
from tests.scenario.bars import market, rows, write_csv
from tests.scenario.books import assert_positions_told
from tests.scenario.engine import breakwater, run_json
from tests.scenario.processes import Traces, _command

BARS_A_SECOND = "20"
ORDERS = 200
WITHIN_S = 6.0
"""Bounded generously: the goal is 2 s, the start of the command included, and the machine may be shared."""


class Trading:
    """Be an engine on Ray that holds a position, and a person who kills."""

    def __init__(self, folder: Path, traces: Traces) -> None:
        self.state = folder / "state"
        data = write_csv(folder / "bars.csv", rows(market(7, 400)))
        self.arguments: list[str | Path] = ["--data", data]
        self.engine = RunningEngine(
            self.state, [*self.arguments, "--speed", BARS_A_SECOND], traces.environment
        )
        self.environment, self.traces = traces.environment, traces

    def hold(self) -> None:
        """Start, and return once something is held."""
        self.engine.start()
        self.engine.wait_for(lambda status: _positions(status))

    def lose_all_but_the_venue(self) -> None:
        """Kill the driver, and wait for Ray and the roles, which die of it: until then they bring bars."""
        os.kill(self.engine.pid(DRIVER), signal.SIGKILL)
        self.engine.process.wait(30)
        until = time.monotonic() + 30.0
        while [each for each in self.traces.processes() if VENUE not in _command(each)]:
            assert time.monotonic() < until
            time.sleep(0.1)

    def kill(self, *options: str) -> dict[str, Any]:
        """Kill by the real command, and return what it told."""
        said = breakwater(
            "kill",
            "--confirm",
            "SIMULATION KILL",
            "--reason",
            "storm",
            *options,
            "--state",
            self.state,
            "--json",
        )
        assert said.returncode == 0, said.stdout + said.stderr
        found: dict[str, Any] = json.loads(said.stdout)
        return found

    def run_on(self) -> dict[str, Any]:
        """Go on with the session to its end, at full speed."""
        return run_json(*self.arguments, "--state", self.state, env=self.environment)


def _positions(status: Mapping[str, Any]) -> Mapping[str, int]:
    found: Mapping[str, int] = status["views"].get("risk", {}).get("positions", {})
    return found


@pytest.fixture
def trading(tmp_path: Path) -> Iterator[Trading]:
    traces = Traces(tmp_path)
    made = Trading(tmp_path, traces)
    yield made
    made.engine.abandon()
    traces.kill()


def records(state: Path, *kinds: AuditKind) -> list[AuditRecord]:
    index = AuditIndex(state / "audit", sqlite_url(state / "index.db"))
    try:
        return list(run_query(index, AuditQuery(kinds=kinds)))
    finally:
        index.engine.dispose()


@contextmanager
def at_work(trading: Trading) -> Iterator[None]:
    yield


@contextmanager
def hung(trading: Trading, role: str) -> Iterator[None]:
    process = psutil.Process(trading.engine.pid(role))
    process.suspend()
    try:
        yield
    finally:
        process.resume()


@contextmanager
def coordinator_hung(trading: Trading) -> Iterator[None]:
    with hung(trading, "coordinator"):
        yield


@contextmanager
def gateway_hung(trading: Trading) -> Iterator[None]:
    with hung(trading, "gateway"):
        yield


def assert_killed(trading: Trading, summary: Mapping[str, Any], closed: list[str]) -> None:
    """Hold the session to the kill: flat, halted, on record, the books the venue's, each position closed once."""
    assert summary["positions"] == {}
    assert assert_nothing_lost_or_doubled(trading.state, summary) > 0
    assert_positions_told(trading.state)
    orders = summary["details"]["orders"]
    killed = {order["order_ref"]: order for order in orders if ".kill." in order["order_ref"]}
    assert sorted(killed) == sorted(closed)
    assert {order["book"] for order in killed.values()} == {"main"}
    assert {order["state"] for order in killed.values()} <= {"filled", "canceled"}, (
        "canceled: the stop was first"
    )
    sent = [
        each.body for each in records(trading.state, AuditKind.ORDER) if each.body.get("sent_by") == "kill"
    ]
    assert len(sent) == len(closed), "each is on record once"
    halts = [halt for halt in summary["halt_list"] if halt["trigger"] == "kill_switch"]
    assert halts
    assert halts[0]["rung"] == "FLATTENING"
    told = [each.body["detail"] for each in records(trading.state, AuditKind.HALT)]
    assert any("storm" in detail and "kill at " in detail for detail in told), "who and why"
    last = max(order["bar"] for order in killed.values())
    entered = [each for each in orders if each["kind"] == "entry" and each["bar"] > last]
    assert [each for each in entered if each["state"] != "refused"] == [], "still halted"


@pytest.mark.ray
@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", [at_work, coordinator_hung, gateway_hung], ids=lambda how: how.__name__)
def test_a_kill_beside_a_living_engine_flattens_it_and_it_stays_halted(
    trading: Trading, how: Callable[[Trading], Any]
) -> None:
    """Hung processes go on later, and find what was done."""
    trading.hold()
    with how(trading):
        first = trading.kill()
        second = trading.kill()
    assert first["closing"], "nothing was held any more"
    assert [each["order_ref"] for each in second["closing"]] == []
    trading.engine.wait_for(lambda status: status["rung"] == "HALTED" and not _positions(status))
    summary = trading.engine.stop()
    assert_killed(trading, summary, [each["order_ref"] for each in first["closing"]])
    again = trading.run_on()
    assert again["completed"]
    assert_killed(trading, again, [each["order_ref"] for each in first["closing"]])


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_a_kill_after_the_engine_has_died_is_reconciled_by_the_next_run(trading: Trading) -> None:
    """The venue lives on; the closing orders wait there for bars that only an engine brings."""
    trading.hold()
    trading.lose_all_but_the_venue()
    first, second = trading.kill(), trading.kill()
    assert [each["state"] for each in first["closing"]] == ["accepted"] * len(first["closing"])
    assert first["closing"]
    assert (second["closing"], len(second["closing_before"])) == ([], len(first["closing"]))
    status = breakwater("status", "--state", trading.state, "--json")
    assert (status.returncode, json.loads(status.stdout)["file_rung"]) == (3, "FLATTENING")
    summary = trading.run_on()
    assert (summary["completed"], summary["resumed"]) == (True, True)
    assert_killed(trading, summary, [each["order_ref"] for each in first["closing"]])
    (what,) = [
        each.body["detail"] for each in records(trading.state, AuditKind.HALT) if "storm" in str(each.body)
    ][:1]
    assert "closing orders" in what, "what was done is on record too"


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_only_cancelling_leaves_positions_behind_their_stops_and_the_next_run_halted(
    trading: Trading,
) -> None:
    trading.hold()
    trading.lose_all_but_the_venue()
    done = trading.kill("--cancel-only")
    assert (done["closing"], done["latch"]["rung"]) == ([], "HALTED")
    assert len(done["stops_kept"]) == len(done["positions"]) > 0
    summary = trading.run_on()
    assert summary["completed"]
    assert [halt["rung"] for halt in summary["halt_list"]][:1] == ["HALTED"]
    assert assert_nothing_lost_or_doubled(trading.state, summary) > 0


@pytest.mark.timeout(200)
def test_two_hundred_open_orders_are_cancelled_by_the_command(tmp_path: Path) -> None:
    """With no engine, no Ray and no coordinator alive; measured from before the command's start to after its end."""
    bench = SocketBench(tmp_path, settings())
    try:
        bench.connect()
        bench.move(group(0, bar("A", 100.0, 100.0, 100.0, 100.0)))
        for number in range(ORDERS):
            bench.tell(buy(f"1.main.A.{number}.1", "A", 1, **limit(10.0)))
        begun = time.monotonic()
        said = breakwater("kill", "--confirm", "SIMULATION KILL", "--state", tmp_path, "--json")
        took_s = time.monotonic() - begun
    finally:
        bench.end()
    body = json.loads(said.stdout)
    print(f"{ORDERS} orders: {took_s:.3f} s, of which {body['elapsed_s']} s after the start of the command")
    assert (said.returncode, len(body["cancelled"]), body["left"]) == (0, ORDERS, [])
    assert took_s < WITHIN_S
