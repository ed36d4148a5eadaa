"""Driving an engine: a wish to stop reaches it, whatever becomes of the word."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from cli.drive import EngineStalled, Outcome, drive, following

REASON = "SIGTERM"


class Engine:
    """Be an engine whose coordinator is away for its first `away` words (port: `cli.drive.Engine`)."""

    def __init__(self, away: int) -> None:
        self.words: list[tuple[str, bool]] = []
        self.phase, self._away, self._advances = "running", away, 0

    def advance(self) -> bool:
        self._advances += 1
        if self.phase == "draining":
            self.phase = "stopped"
        elif len(self.words) > self._away:
            self.phase = "draining"
        return self.phase == "stopped"

    def drain(self, reason: str, *, cancel_entries: bool) -> None:
        self.words.append((reason, cancel_entries))

    def states(self) -> Mapping[str, Mapping[str, Any]]:
        return {"coordinator": {"phase": self.phase}, "feed": {"next": self._advances}, "risk": {}}

    def asked_states(self) -> Mapping[str, Mapping[str, Any]]:
        return self.states()

    def snapshot(self) -> Mapping[str, Any]:
        return {}

    def close(self, *, orderly: bool = True) -> None:
        """Have nothing to end."""


@pytest.fixture(autouse=True)
def looking_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.drive._SHOW_S", 0.0)


def stopped(engine: Engine, reason: str = REASON, stop_s: float = 20.0) -> bool:
    outcome = drive(
        engine, stop_requested=lambda: reason, show=lambda states: None, stall_s=20.0, stop_s=stop_s
    )
    return outcome.interrupted


@pytest.mark.parametrize("away", [0, 1, 7])
def test_a_stop_is_told_again_until_the_coordinator_has_heard_it(away: int) -> None:
    engine = Engine(away)
    assert stopped(engine)
    assert set(engine.words) == {(REASON, True)}
    assert away < len(engine.words) <= away + 2


def test_a_stop_that_is_never_heard_ends_at_its_deadline() -> None:
    with pytest.raises(EngineStalled, match=r"did not stop within 0.1 s"):
        stopped(Engine(away=10_000_000), stop_s=0.1)


def test_nobody_is_told_to_stop_who_is_not_to() -> None:
    engine = Engine(0)
    engine.phase = "draining"  # as when the data has ended
    assert not stopped(engine, reason="")
    assert engine.words == []


class Forgetful(Engine):
    """Be an engine whose feed is killed before anybody sees it later than the first bar, while bars are decided."""

    def __init__(self, *, moves: bool) -> None:
        super().__init__(0)
        self._moves = moves

    def advance(self) -> bool:
        self._advances += 1
        time.sleep(0.001)
        return self._advances > 200

    def states(self) -> Mapping[str, Mapping[str, Any]]:
        phase = "stopped" if self._advances > 200 else "running"
        decided = 212 + self._advances if self._moves else 212
        return {"coordinator": {"phase": phase}, "feed": {"next": 212}, "risk": {"bar": decided}}


class Unseen(Forgetful):
    """Be an engine whose coordinator is killed before it has looked at the others, which trade on."""

    def states(self) -> Mapping[str, Mapping[str, Any]]:
        return {**super().states(), "feed": {}, "risk": {}}

    def asked_states(self) -> Mapping[str, Mapping[str, Any]]:
        return super().states()


def drive_to_the_end(engine: Engine) -> Outcome:
    return drive(engine, stop_requested=lambda: "", show=lambda states: None, stall_s=0.1, stop_s=20.0)


def test_bars_that_are_decided_are_no_stall_though_the_feed_is_never_seen_later() -> None:
    assert following(drive_to_the_end(Forgetful(moves=True)).states) == 212 + 201


def test_who_is_said_to_stand_still_is_asked_first() -> None:
    outcome = drive_to_the_end(Unseen(moves=True))
    assert (outcome.interrupted, outcome.elapsed_s > 0.1) == (False, True)


def test_who_stands_still_when_asked_is_stalled() -> None:
    with pytest.raises(EngineStalled, match=r"no bar settled for 0\.1 s at bar 212; waiting for"):
        drive_to_the_end(Unseen(moves=False))


def test_bars_that_stand_still_are_a_stall() -> None:
    with pytest.raises(EngineStalled, match=r"no bar settled for 0\.1 s at bar 212; waiting for"):
        drive_to_the_end(Forgetful(moves=False))


@pytest.mark.parametrize(
    ("feed", "risk", "bar"),
    [({}, {}, -1), ({"next": 5}, {}, 5), ({"next": 5}, {"bar": 7}, 7), ({"next": 5}, {"bar": 4}, 5)],
)
def test_the_first_bar_not_known_to_have_settled(
    feed: Mapping[str, Any], risk: Mapping[str, Any], bar: int
) -> None:
    assert following({"coordinator": {}, "feed": feed, "risk": risk}) == bar
