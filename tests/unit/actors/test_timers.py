"""Test a shell's timers."""

from __future__ import annotations

from actors.timers import Timers
from tests.fakes.ports import FakeClock


def test_timers_run_out_earliest_first_and_once() -> None:
    clock = FakeClock()
    timers = Timers(clock)
    timers.set("late", 3.0)
    timers.set("early", 1.0)
    timers.set("never", 9.0)
    assert timers.wait_s() == 1.0
    assert timers.due() == []
    clock.now_s += 3.0
    assert timers.wait_s() == 0.0
    assert timers.due() == ["early", "late"]
    assert timers.due() == []
    assert timers.wait_s() == 6.0


def test_same_name_replaces_and_cancel_forgets() -> None:
    clock = FakeClock()
    timers = Timers(clock)
    timers.set("lease", 1.0)
    timers.set("lease", 5.0)
    clock.now_s += 2.0
    assert timers.due() == []
    timers.cancel("lease")
    timers.cancel("unknown")
    clock.now_s += 9.0
    assert timers.due() == []
    assert timers.wait_s() is None


def test_strict_timers_are_taken_apart_and_by_themselves() -> None:
    clock = FakeClock()
    timers = Timers(clock)
    timers.set("lease", 2.0, strict=True)
    timers.set("ack", 1.0)
    clock.now_s += 1.5
    assert timers.strict_due() == []
    clock.now_s += 1.0
    assert timers.strict_due() == ["lease"]
    assert timers.strict_due() == []
    assert timers.due() == ["ack"]


def test_timer_set_anew_is_strict_or_not_as_it_was_set_last() -> None:
    clock = FakeClock()
    timers = Timers(clock)
    timers.set("a", 1.0, strict=True)
    timers.set("a", 1.0)
    timers.set("b", 1.0, strict=True)
    timers.cancel("b")
    clock.now_s += 2.0
    assert timers.strict_due() == []
    assert timers.due() == ["a"]
