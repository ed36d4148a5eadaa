"""Name what keeps the engine alive: pulses and leases, starts and ends of roles, and cursors to go on from.

What matters is told by level, not by edge: a role says in every pulse which generation it is, whether it is ready, at
rest or at the end of its data, and where its log stands. A message that was lost is made good by the next pulse, and a
coordinator that restarted learns from the pulses what it missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from domain.records import Rung


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """Tell the coordinator, once an interval, that a role lives and where it stands; it asks for a lease.

    The answer names `nonce`; the lease counts from when this was sent, on the sender's own clock. `epoch` is the risk
    epoch that the sender knows. `head` is the feed's newest published bar, the gateway's journal head, -1 for others.
    `at_rest` says that it has drained, `ended` that the feed has no more bars and the last one settled.
    """

    role: str
    generation: int
    nonce: int
    epoch: int
    head: int
    ready: bool
    at_rest: bool
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseGranted:
    """Answer the pulse `nonce`: who asked may act for the lease's length from when it asked.

    The heads of both logs let a consumer find that a last message was lost (-1: not known). `rung` at `latch_version`
    is the durable latch: it raises, as `LatchChanged` does, and never lowers.
    """

    nonce: int
    bars_head: int
    journal_head: int
    rung: Rung
    latch_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleStarted:
    """Tell the coordinator that a generation of a role is up: its parts are built.

    One that a former coordinator started is found again and told like a new one. `at_s` is of the control clock.
    """

    role: str
    generation: int
    pid: int
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleEnded:
    """Tell the coordinator that a generation of a role has ended, or could not be started; `why` in words.

    `at_s` is of the control clock, by which restarts are counted.
    """

    role: str
    generation: int
    why: str
    at_s: float


class RoleFigures(NamedTuple):
    """Be what was seen of one role from outside: memory, how long it is at one message, what waits, its state.

    `state` is the machine's own, None where it was too busy to tell. `failure` is what its loop failed of, "" while
    it goes on: its own word of that may have been lost, and its process is still there.
    """

    role: str
    generation: int
    pid: int
    rss_bytes: int
    busy_s: float
    queued: int
    state: Mapping[str, Any] | None
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolesObserved:
    """Bring the coordinator what was seen of every role, about twice a second; inline engines need none."""

    figures: tuple[RoleFigures, ...]


class AbsentStrategy(NamedTuple):
    """Be a strategy that cannot speak now: while it `abstains` it neither votes nor blocks, else it has failed.

    Where its symbols are shared out, `strategy` names the part ("id/2"): only its symbols are concerned.
    """

    strategy: str
    why: str
    abstains: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategiesAbsent:
    """Tell the risk manager which strategies cannot speak, all of them; it does not wait for these."""

    absent: tuple[AbsentStrategy, ...]


class QuarantinedStrategy(NamedTuple):
    """Be a strategy that failed its probes, at `bar` the last of them, and stays out until it is released."""

    strategy: str
    bar: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategiesQuarantined:
    """Tell the coordinator which strategies their breakers keep out, all of them: by level, with every pulse too.

    None says that there are none, or none any more: a word that was on its way while one was released is made good.
    """

    quarantined: tuple[QuarantinedStrategy, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseStrategy:
    """Tell the risk manager that a person lets a strategy that stays out take part again."""

    strategy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishAgain:
    """Tell the feed that a role came back: publish the bar that has not settled once more.

    A bar counts once for everybody: who had it answers again what it answered, or does nothing.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBarCursor:
    """Ask the risk manager, from a feed that restarted, for the newest bar it has decided, durably."""

    requester: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BarCursor:
    """Tell a restarted feed the newest bar that was decided (-1: none): it publishes that one again, then goes on."""

    bar: int
