"""Drive a running engine to its end, whatever runs it: watch it, pass on signals, enforce deadlines."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from domain.errors import BreakwaterError
from domain.messages import COORDINATOR, FEED, RISK
from supervisor.phase import STOPPING, Phase

States = Mapping[str, Mapping[str, Any]]


def following(states: States) -> int:
    """Return the first bar that is not known to have settled, -1 where nothing is known.

    A feed that came back begins with the session's first bar until the risk manager has told it where it stands, and
    one that is killed again and again is never seen later: what the risk manager decided last counts as well.
    """
    return max(int(states[FEED].get("next", -1)), int(states.get(RISK, {}).get("bar", -1)))


class Engine(Protocol):
    """Be an engine that was started."""

    def advance(self) -> bool:
        """Let it work for a moment; return whether it has stopped."""
        ...

    def drain(self, reason: str, *, cancel_entries: bool) -> None:
        """Ask it to stop in order; told again, it goes on stopping."""
        ...

    def states(self) -> States:
        """Return the state of coordinator, feed and risk manager, as seen last."""
        ...

    def asked_states(self) -> States:
        """Return the same, asked of those roles themselves; takes seconds where one does not answer."""
        ...

    def snapshot(self) -> Mapping[str, Any]:
        """Return what the display shows (`cli.display.view`), without waiting for who is busy."""
        ...

    def close(self, *, orderly: bool = True) -> None:
        """End everything it started: role after role, or all at once when not `orderly`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Say how a drive ended: the last states, whether a signal stopped it, the wall seconds it took."""

    states: States
    interrupted: bool
    elapsed_s: float


class EngineFailed(BreakwaterError):
    """Say that the engine stopped by itself because a role failed."""


FAILED = "the engine stopped because a role failed:\n  "
"""How the words of EngineFailed begin."""


class EngineStalled(BreakwaterError):
    """Say that the engine neither moved nor stopped in time."""

    exit_code = 5


class StopForced(BreakwaterError):
    """Say that a second signal ended the engine before it had stopped in order."""

    exit_code = 130


def drive(
    engine: Engine,
    *,
    stop_requested: Callable[[], str],
    show: Callable[[States], None],
    stall_s: float,
    stop_s: float,
    stop_forced: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Run `engine` until it stops and return how it ended.

    `stop_requested` returns the reason to stop, empty while there is none, `stop_forced` whether to wait for nothing.
    `show` gets the states a few times a second. Raises EngineFailed when a role failed, StopForced when the stop was
    forced, EngineStalled when no bar settled for `stall_s` seconds or a stop took longer than `stop_s`.
    """
    begun = shown = time.monotonic()
    watch = _Watch(stall_s, stop_s, begun)
    reason = ""
    while True:
        stopped = engine.advance()
        now = time.monotonic()
        if not reason and (reason := stop_requested()):
            engine.drain(reason, cancel_entries=True)
            watch.draining_since = now
        if stop_forced() and not stopped:
            raise StopForced(f"ended at once: a second signal came after {reason}; run again to go on")
        if now - shown < _SHOW_S and not stopped:
            continue
        shown, states = now, engine.states()
        show(states)
        if stopped:
            return _outcome(states, bool(reason), now - begun)
        if reason and states[COORDINATOR].get("phase") not in STOPPING:
            # A coordinator that Ray restarts has lost the word, and one that has heard it ignores another.
            engine.drain(reason, cancel_entries=True)
        watch.look(states, now, engine.asked_states)


_SHOW_S = 0.2


class _Watch:
    """Notice an engine that no longer moves, or does not stop."""

    def __init__(self, stall_s: float, stop_s: float, now: float) -> None:
        self._stall_s, self._stop_s = stall_s, stop_s
        self._position, self._moved = -1, now
        self.draining_since: float | None = None

    def look(self, states: States, now: float, ask: Callable[[], States]) -> None:
        """Raise EngineStalled when the deadline of a stop, or of the next bar, has passed.

        The engine's life hangs on it, so who is said to stand still is asked first: what was seen last came by the
        coordinator, which knows nothing for a while after each of its own restarts.
        """
        position = following(states)
        if position > self._position:
            self._position, self._moved = position, now
        if self.draining_since is not None and now - self.draining_since > self._stop_s:
            raise EngineStalled(
                f"the engine did not stop within {self._stop_s:g} s; waiting for {_waiting(states)}"
            )
        if now - self._moved > self._stall_s:
            position, waiting = following(ask()), _waiting(states)
            if position > self._position:
                self._position, self._moved = position, now
                return
            raise EngineStalled(
                f"no bar settled for {self._stall_s:g} s at bar {self._position}; waiting for {waiting}"
            )


def _outcome(states: States, interrupted: bool, elapsed_s: float) -> Outcome:
    coordinator = states[COORDINATOR]
    if coordinator["phase"] == Phase.FAILED.value:
        failures = "\n  ".join(coordinator["failures"])
        raise EngineFailed(f"{FAILED}{failures}")
    return Outcome(states=states, interrupted=interrupted, elapsed_s=elapsed_s)


def _waiting(states: States) -> str:
    return ", ".join(states[COORDINATOR].get("waiting_for", ())) or "the bar's orders to be acknowledged"
