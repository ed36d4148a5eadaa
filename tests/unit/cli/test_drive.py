"""Driving an engine: a wish to stop reaches it, whatever becomes of the word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cli.drive import EngineStalled, drive

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
