"""Name the messages that raise, announce, review and lower the halt latch; the ladder is `domain/halts.py`."""

from __future__ import annotations

from dataclasses import dataclass

from domain.records import HaltTrigger, Rung

PERSON = "person"
"""Who raised or ended what a person's command moved; the detail names the person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseHalt:
    """Ask the coordinator to record, and everyone to hold, a raised latch.

    `again` says that a role tells once more what may have been lost: heard before, it is not recorded anew. `scope` is
    "" for the account, "book:NAME" or "symbol:SYM" for a part of it, which leaves the account's rung alone. `number`
    tells apart what one role raises twice at the same time and bar, 0 where time and bar do.
    """

    at_ns: int
    bar: int
    session: int
    rung: Rung
    trigger: HaltTrigger
    raised_by: str
    detail: str
    again: bool = False
    scope: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LatchChanged:
    """Announce the durable latch. Only the coordinator sends it; it lowers the receiver's rung only with `lowers`.

    `bar` is that of the review that lowers. `heard` are triggers, perhaps ended, told again and on record. `scoped` are
    all the halts of a part of the account, each a scope ("book:NAME" or "symbol:SYM") with its rung. `new_peak`, of a
    person who lowers it, sets the reference peak to the present equity.
    """

    rung: Rung
    lowers: bool
    version: int
    active: tuple[HaltTrigger, ...]
    bar: int = -1
    heard: tuple[HaltTrigger, ...] = ()
    scoped: tuple[tuple[str, Rung], ...] = ()
    new_peak: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LatchHeld:
    """Tell the coordinator that a role holds the latch at `version`."""

    role: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionsClosed:
    """Tell the coordinator, while flattening, that no position is open and no order works: it may step to HALTED."""

    at_ns: int
    bar: int
    session: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewHalt:
    """Ask the coordinator, at the first bar of a session while a latch is up, whether it ends by rule."""

    at_ns: int
    bar: int
    session: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltReviewed:
    """Answer a review; `active` are the causes still up, `new_peak` sets the reference peak to the present equity."""

    bar: int
    rung: Rung
    version: int
    active: tuple[HaltTrigger, ...]
    new_peak: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LatchFound:
    """Tell of a latch file that a person wrote, or that cannot be read, and what it says.

    The gateway hears of one that held an order back, the coordinator of one that it came upon.
    """

    rung: Rung
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LatchCleared:
    """Tell the coordinator, for the command `key`, what the latch's file said that is gone now: ACTIVE for nothing."""

    key: str
    rung: Rung
    detail: str


HaltInbox = RaiseHalt | PositionsClosed | LatchHeld | ReviewHalt | LatchFound
