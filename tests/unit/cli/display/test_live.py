"""Check the painter's thread with a terminal that a test holds: what is typed, handed over and painted."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from rich.console import Console

from cli.display.live import LiveScreen
from cli.display.terminal import Terminal
from cli.meter import Meter
from domain.errors import BreakwaterError
from tests.scenario.hand_made import table_of
from tests.unit.cli.display.samples import snapshot

TABLE = table_of({"KO": [100.0] * 4_000})
STATES: Any = {"coordinator": {"phase": "running"}, "feed": {"next": 1_235}, "risk": {}}
PATIENCE_S = 5.0


class Keyboard(Terminal):
    """Be a terminal at which a test types."""

    def __init__(self) -> None:
        super().__init__(-1, None)
        self.keys = b""
        self.gone = False

    @property
    def typed_at(self) -> bool:
        return True

    def take(self) -> bool:
        return not self.gone

    def give_back(self, *, for_good: bool = False) -> None:
        self.gone = for_good

    def wait(self, timeout_s: float) -> bytes:
        super().wait(min(timeout_s, 0.01))
        typed, self.keys = self.keys, b""
        return typed


class Engine:
    """Tell what it is given to tell."""

    def __init__(self, told: Any) -> None:
        self.told = told

    def snapshot(self) -> Any:
        return self.told


class Answers:
    """Take commands, and answer when a test lets it."""

    def __init__(self, refuses: str = "") -> None:
        self.asked: list[tuple[str, str]] = []
        self.refuses = refuses
        self.may = threading.Event()

    def halt(self, reason: str) -> str:
        self.asked.append(("halt", reason))
        self.may.wait(PATIENCE_S)
        if self.refuses:
            raise BreakwaterError(self.refuses)
        return "halted"

    def resume(self, reason: str) -> str:
        self.asked.append(("resume", reason))
        return "resumed"


class Scene:
    """Be a live screen with all that belongs to it."""

    def __init__(self, controls: Answers | None) -> None:
        self.out, self.keyboard = io.StringIO(), Keyboard()
        console = Console(file=self.out, force_terminal=True, width=100, height=30, color_system=None)
        self.live = LiveScreen(
            console, self.keyboard, Meter(TABLE, 0, time.monotonic), {"mode": "SIMULATION"}
        )
        self.engine, self.controls = Engine(snapshot()), controls

    def type(self, keys: str) -> None:
        self.keyboard.keys = keys.encode()

    def shows(self, words: str) -> None:
        self.until(lambda: words in self.out.getvalue())

    def until(self, true: Callable[[], bool]) -> None:
        ends = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < ends, self.out.getvalue()[-3_000:]
            time.sleep(0.01)


@contextmanager
def scene(controls: Answers | None = None) -> Iterator[Scene]:
    at = Scene(controls)
    with at.live:
        at.live.begin(at.engine, controls)
        yield at


def test_before_the_first_figures_the_screen_stands() -> None:
    with scene() as at:
        at.shows("SIMULATION")
        at.shows("◐ starting")


def test_figures_that_are_handed_over_are_shown() -> None:
    with scene() as at:
        at.live(STATES)
        at.shows("equity 104,233.12")
        at.engine.told = snapshot(rung="HALTED", causes=["heat"])
        at.live(STATES)
        at.shows("■ HALTED")


def test_handing_over_waits_for_nothing() -> None:
    with scene() as at, at.keyboard.lock:  # the painter may not paint
        begun = time.monotonic()
        at.live(STATES)
        assert time.monotonic() - begun < 0.5


def test_figures_that_were_old_when_they_were_handed_over_are_called_old() -> None:
    """The driver hands over the last known ones while the coordinator is away."""
    with scene() as at:
        at.engine.told = {**snapshot(), "seen_s": time.monotonic() - 60.0}
        at.live(STATES)
        at.shows("last known 60 s ago")


def test_quit_asks_the_driver_to_stop_in_order() -> None:
    with scene() as at:
        at.type("q")
        at.shows("Stop in order?")
        assert at.live.stop_reason == ""
        at.type("y")
        at.until(lambda: at.live.stop_reason == "q was pressed")
        at.shows("stopping in order")


def test_a_halt_is_never_said_to_hold_before_the_engine_said_so() -> None:
    controls = Answers()
    with scene(controls) as at:
        at.type("hyfat finger\r")
        at.shows("halt asked, not confirmed yet")
        assert controls.asked == [("halt", "fat finger")]
        assert "halted" not in at.out.getvalue()
        controls.may.set()
        at.shows("halted")


def test_while_an_answer_is_awaited_the_picture_moves() -> None:
    controls = Answers()
    with scene(controls) as at:
        at.type("hyslow\r")
        at.shows("not confirmed yet")
        at.live(STATES)
        at.shows("equity 104,233.12")
        controls.may.set()


def test_a_refusal_says_why() -> None:
    controls = Answers(refuses="the cooldown ends in 4:12")
    controls.may.set()
    with scene(controls) as at:
        at.type("hynow\r")
        at.shows("halt: the cooldown ends in 4:12")


def test_resume_carries_its_reason() -> None:
    controls = Answers()
    with scene(controls) as at:
        at.type("rychecked\r")
        at.shows("resumed")
    assert controls.asked == [("resume", "checked")]


def test_without_a_control_socket_it_says_so() -> None:
    with scene() as at:
        at.type("hynow\r")
        at.shows("halt: the engine takes no commands yet")


def test_a_failure_of_the_display_never_reaches_the_engine_and_is_told_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*arguments: object) -> None:
        raise ValueError("planted")

    with scene() as at:
        monkeypatch.setattr("cli.display.live.screen", broken)
        at.until(lambda: at.live.failure != "")
        at.live(STATES)
        assert at.keyboard.gone
    assert "the display ended: " in at.out.getvalue()
    assert "planted" in at.out.getvalue()
