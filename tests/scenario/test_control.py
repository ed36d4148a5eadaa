"""People halt and resume a running engine over its socket, and what they did outlives it (issue: show 3; B2 to B4)."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cli.inline_engine import InlineEngine
from cli.plan import EnginePlan, SessionPlan
from config.loader import load
from domain.commands import Verb
from domain.errors import NotRunning
from domain.records import Rung
from domain.risk.manager import SNAPSHOT
from storage.audit.index import AuditIndex
from storage.audit.query import AuditQuery, run_query
from storage.catalogue import write_bars
from storage.commit_group import REDO, finish_commit
from storage.engine import sqlite_url
from storage.journal_reader import JournalReader
from storage.latch_file import LatchFile
from supervisor.control_client import ControlClient, new_key
from tests.scenario.hand_made import configuration, table_of

BUY, SELL = (1, 0.9), (-1, 0.9)
DAYS = 2_000
DAY_NS = 86_400_000_000_000


@dataclass
class Desk:
    """Own a state directory whose engine runs when told, and a person who asks it."""

    plan: EnginePlan
    engine: InlineEngine | None = None

    @property
    def state(self) -> Path:
        return self.plan.session.state_dir

    def start(self) -> InlineEngine:
        self.engine = InlineEngine(self.plan)
        while self.machine()["phase"] != "running":
            self.engine.advance()
        return self.engine

    def kill(self) -> None:
        """Go on with what lies on the disk now, which is what `kill -9` would leave."""
        assert self.engine is not None
        left = self.state.with_name(f"{self.state.name}-")
        shutil.copytree(self.state, left, ignore=shutil.ignore_patterns("control.*"))
        self.engine.close()
        finish_commit(left / REDO)
        with closing(JournalReader.open(sqlite_url(left / "risk.db"), "risk")) as reader:
            decided = reader.snapshot(SNAPSHOT)
        session = replace(
            self.plan.session,
            state_dir=left,
            bars=left / "bars.parquet",
            first=0 if decided is None else decided.bar,
        )
        self.plan, self.engine = replace(self.plan, session=session), None

    def stop(self) -> None:
        """End the engine in order, by a person's word."""
        assert self.engine is not None
        assert self.ask(Verb.STOP)["ok"]
        while not self.engine.advance():
            pass
        self.engine.close()
        self.engine = None

    def ask(self, verb: Verb, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a person's command, given in a thread while the engine works."""
        assert self.engine is not None
        answers: list[dict[str, Any]] = []

        def person() -> None:
            answers.append(
                ControlClient(self.state, 20.0).ask(
                    verb,
                    arguments,
                    reason="storm",
                    mode="SIMULATION",
                    key=new_key(),
                    name="ann",
                )
            )

        thread = threading.Thread(target=person)
        thread.start()
        while thread.is_alive():
            self.engine.advance()
        thread.join()
        return answers[0]

    def machine(self) -> dict[str, Any]:
        assert self.engine is not None
        return dict(self.engine.states()["coordinator"])

    def bar(self) -> int:
        assert self.engine is not None
        return int(self.engine.states()["feed"]["next"])

    def to_bar(self, bar: int) -> None:
        assert self.engine is not None
        while self.bar() < bar:
            self.engine.advance()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return years of two shares that both strategies want for five bars of every ten, at 500 bars a second."""
    prices = {"AAPL": [100.0] * DAYS, "XOM": [50.0] * DAYS}
    votes = {
        name: {symbol: {bar: BUY if bar % 10 < 5 else SELL for bar in range(DAYS)} for symbol in prices}
        for name in ("a", "b")
    }
    settings = load(configuration(tmp_path / "config", votes, {}, (), DAY_NS), {})
    table, state = table_of(prices, None, DAY_NS), tmp_path / "state"
    state.mkdir()
    write_bars(state / "bars.parquet", table)
    session = SessionPlan(number=1, first=0, state_dir=state, bars=state / "bars.parquet")
    made = Desk(EnginePlan(settings=settings, table=table, session=session, pace_s=0.002))
    yield made
    if made.engine is not None:
        made.engine.close()


def orders(desk: Desk) -> list[Any]:
    reader = JournalReader.open(sqlite_url(desk.state / "gateway.db"), "gateway")
    try:
        return reader.orders()
    finally:
        reader.close()


def told(desk: Desk, kind: str) -> list[dict[str, Any]]:
    index = AuditIndex(desk.state / "audit", sqlite_url(desk.state / "index.db"))
    try:
        records = list(run_query(index, AuditQuery()))
    finally:
        index.engine.dispose()
    return [
        json.loads(record.body) if isinstance(record.body, str) else dict(record.body)
        for record in sorted(records, key=lambda record: record.seq)
        if record.kind == kind
    ]


def test_a_halt_stands_over_a_kill_until_a_person_resumes_and_the_trail_tells_of_each_step(
    desk: Desk,
) -> None:
    desk.start()
    desk.to_bar(5)
    halt = desk.ask(Verb.HALT)
    assert (halt["ok"], halt["acknowledged"], halt["effective"]) == (True, True, True)
    assert LatchFile(desk.state).read() is Rung.HALTED
    halted_at = desk.bar()
    desk.to_bar(halted_at + 200)
    desk.kill()
    with pytest.raises(NotRunning):
        ControlClient(desk.state).ask(Verb.STATUS)

    desk.start()
    assert desk.machine()["causes"] == ["manual"]
    refused = desk.ask(Verb.RESUME)
    assert not refused["ok"]
    assert "halt.cooldown_s" in refused["detail"]
    assert desk.machine()["rung"] == "HALTED"
    still_halted_at = desk.bar()
    resumed = desk.ask(Verb.RESUME, force=True)
    assert resumed["effective"], resumed
    assert desk.machine()["rung"] == "ACTIVE"
    assert LatchFile(desk.state).read() is Rung.ACTIVE
    resumed_at = desk.bar()
    desk.to_bar(resumed_at + 40)
    desk.stop()
    entered = [order.bar for order in orders(desk) if order.kind == "entry"]
    assert [bar for bar in entered if halted_at < bar < still_halted_at] == []
    assert min(entered) < halted_at
    assert max(entered) > resumed_at
    said = [(each["verb"], each["ok"], each["forced"], each["reason"]) for each in told(desk, "intervention")]
    assert said == [
        ("halt", True, False, "storm"),
        ("resume", False, False, "storm"),
        ("resume", True, True, "storm"),
        ("stop", True, False, "storm"),
    ]
    assert all(each["who"].endswith(" as ann") for each in told(desk, "intervention"))
    assert [(each["trigger"], each["rung"]) for each in told(desk, "halt")] == [
        ("manual", "HALTED"),
        ("manual", "ACTIVE"),
    ]


def test_a_resume_does_not_outlive_a_kill_without_its_record_nor_the_halt_its_file(desk: Desk) -> None:
    desk.start()
    desk.ask(Verb.HALT)
    desk.ask(Verb.RESUME, force=True)
    desk.kill()
    desk.start()
    assert desk.machine()["rung"] == "ACTIVE"
    assert desk.machine()["causes"] == []


def test_what_is_written_while_no_engine_runs_halts_the_next_and_says_who(desk: Desk) -> None:
    LatchFile(desk.state).write(Rung.HALTED, 0, "ann (process 7): holiday")
    desk.start()
    assert desk.machine()["rung"] == "HALTED"
    (cause,) = desk.machine()["halted_by"]
    assert (cause["trigger"], cause["detail"]) == ("kill_switch", "latch file: ann (process 7): holiday")
    desk.to_bar(200)
    desk.kill()
    assert orders(desk) == []
    desk.start()
    assert len(desk.machine()["halted_by"]) == 1, "its file, written anew, is no second cause"
    assert desk.ask(Verb.RESUME, force=True)["effective"]


def test_flatten_closes_every_position_and_then_stands_halted(desk: Desk) -> None:
    """B1: without being configured so."""
    desk.start()
    desk.to_bar(13)
    assert desk.engine is not None
    assert desk.engine.states()["risk"]["positions"]
    assert desk.ask(Verb.FLATTEN)["effective"]
    while desk.machine()["rung"] == "FLATTENING":
        desk.engine.advance()
    assert desk.machine()["rung"] == "HALTED"
    assert not desk.engine.states()["risk"]["positions"]
    assert LatchFile(desk.state).read() is Rung.HALTED


def test_a_halted_symbol_stands_alone(desk: Desk) -> None:
    desk.start()
    assert desk.ask(Verb.HALT, scope="symbol:AAPL")["effective"]
    begun = desk.bar()
    desk.to_bar(begun + 40)
    desk.stop()
    entered = {order.symbol for order in orders(desk) if order.kind == "entry" and order.bar > begun}
    assert entered == {"XOM"}


def test_status_tells_mode_phase_and_roles_while_bars_go_by(desk: Desk) -> None:
    desk.start()
    body = desk.ask(Verb.STATUS)
    assert (body["phase"], body["mode"], body["rung"]) == ("running", "SIMULATION", "ACTIVE")
    assert set(body["roles"]) >= {"gateway", "risk", "feed"}


def test_stop_drains_in_order(desk: Desk) -> None:
    engine = desk.start()
    assert desk.ask(Verb.STOP)["ok"]
    while not engine.advance():
        pass
    assert desk.machine()["phase"] == "stopped"
    assert "storm" in desk.machine()["reason"]
