"""Name the faults that are drawn, and draw a schedule of them from a seed: the same seed, the same schedule.

A fault is armed when its bar is first published and strikes at its `occasion`-th chance from then on, so that taking
one fault out of a schedule leaves the others where they were: that is what makes shrinking work.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from domain.messages import AUDIT, COORDINATOR, FEED, GATEWAY, RISK
from simulation.chaos.commanding import COMMANDS
from simulation.chaos.delivery import RULES


class FaultKind(StrEnum):
    """Name what can go wrong."""

    ROLE_CRASH = "role_crash"
    ENGINE_CRASH = "engine_crash"
    CRASH_LOOP = "crash_loop"
    STOP = "stop"
    COMMAND = "command"
    DISK_FAILS = "disk_fails"
    MESSAGE_LOST = "message_lost"
    MESSAGE_LATE = "message_late"
    MESSAGE_DOUBLED = "message_doubled"
    REORDERED = "reordered"
    CLOCK_JUMP = "clock_jump"
    WALL_JUMP = "wall_jump"
    ORDER_REFUSED = "order_refused"
    PARTIAL_FILL = "partial_fill"
    UNANSWERED = "unanswered"
    SWALLOWED = "swallowed"
    COMMAND_LATE = "command_late"
    CUT_BEFORE = "cut_before"
    CUT_AFTER = "cut_after"
    VENUE_DOWN = "venue_down"
    EXECUTION_DOUBLED = "execution_doubled"
    EXECUTION_CORRECTED = "execution_corrected"
    EVENTS_REORDERED = "events_reordered"
    STRATEGY_FAILS = "strategy_fails"
    LATCH_FILE = "latch_file"


class Fault(NamedTuple):
    """Be one fault: what, from which bar on, at which occasion, where (role, message, symbol), with what figure.

    `value` is in seconds for what is late, down or jumps; a choice in [0, 1) for what has several ways to go wrong; of
    a role that cannot stay, the outputs that it carries out before it dies the first time.
    """

    kind: FaultKind
    bar: int
    occasion: int
    where: str = ""
    value: float = 0.0

    def __str__(self) -> str:
        """Say it in one line."""
        where = f" {self.where}" if self.where else ""
        return (
            f"{self.kind.value}{where}: from bar {self.bar}, occasion {self.occasion}, value {self.value:g}"
        )


class Schedule(NamedTuple):
    """Be all that one run of the search depends on."""

    seed: int
    bars: int
    faults: tuple[Fault, ...]

    def reduced(self, keep: Sequence[int] | None, bars: int | None) -> Schedule:
        """Return the same with only the faults at these places (None: all) and so many bars (None: as many)."""
        kept = self.faults if keep is None else tuple(self.faults[place] for place in keep)
        return self._replace(faults=kept, bars=self.bars if bars is None else bars)

    def places(self, faults: Sequence[Fault]) -> tuple[int, ...]:
        """Return where `faults`, in order, stand in this schedule."""
        found: list[int] = []
        for fault in faults:
            found.append(self.faults.index(fault, found[-1] + 1 if found else 0))
        return tuple(found)

    def __str__(self) -> str:
        """Say it in lines."""
        return "\n".join((f"seed {self.seed}, {self.bars} bars", *(f"  {fault}" for fault in self.faults)))


LEAST_FAULTS, MOST_FAULTS = 7, 11
"""Drawn a seed; some never find their occasion: where a halt keeps the engine from trading, no fill can go wrong."""

LEAST_SURE = 5
"""Of them, as many as strike whatever happens; where fewer were drawn, more are added."""

LEAST_BARS, MOST_BARS = 22, 34

_ROLES = (GATEWAY, GATEWAY, RISK, RISK, FEED, COORDINATOR, AUDIT)
"""Roles that crash, the ones that own money twice as often; strategies are added by name."""

_DISKS = (GATEWAY, GATEWAY, RISK, COORDINATOR, AUDIT)
_LATE_S = (0.05, 1.0, 4.0, 7.0, 12.0, 35.0)
"""Delays around the deadlines of the configuration: answers 6 s, acknowledgements 10 s, absence and signals 30 s."""

_WEIGHTS: dict[FaultKind, int] = {
    FaultKind.ROLE_CRASH: 8,
    FaultKind.ENGINE_CRASH: 6,
    FaultKind.CRASH_LOOP: 2,
    FaultKind.STOP: 2,
    FaultKind.COMMAND: 8,
    FaultKind.DISK_FAILS: 2,
    FaultKind.MESSAGE_LOST: 8,
    FaultKind.MESSAGE_LATE: 8,
    FaultKind.MESSAGE_DOUBLED: 8,
    FaultKind.REORDERED: 6,
    FaultKind.CLOCK_JUMP: 4,
    FaultKind.WALL_JUMP: 2,
    FaultKind.ORDER_REFUSED: 4,
    FaultKind.PARTIAL_FILL: 8,
    FaultKind.UNANSWERED: 4,
    FaultKind.SWALLOWED: 4,
    FaultKind.COMMAND_LATE: 4,
    FaultKind.CUT_BEFORE: 5,
    FaultKind.CUT_AFTER: 5,
    FaultKind.VENUE_DOWN: 3,
    FaultKind.EXECUTION_DOUBLED: 4,
    FaultKind.EXECUTION_CORRECTED: 4,
    FaultKind.EVENTS_REORDERED: 5,
    FaultKind.STRATEGY_FAILS: 4,
}

_DEADLY = frozenset(
    {
        FaultKind.ROLE_CRASH,
        FaultKind.CRASH_LOOP,
        FaultKind.ENGINE_CRASH,
        FaultKind.STOP,
        FaultKind.DISK_FAILS,
    }
)
_SURE = frozenset(
    {FaultKind.COMMAND, FaultKind.REORDERED, FaultKind.CLOCK_JUMP, FaultKind.WALL_JUMP, FaultKind.STOP}
)
"""Faults for which any delivery is an occasion."""
MOST_DEADLY = 3
"""Deaths a seed at most: each costs a start of the engine, and what follows one is what is looked for."""


def draw(seed: int, strategies: Sequence[str], roles: Sequence[str], symbols: Sequence[str]) -> Schedule:
    """Return the schedule of `seed`; `roles` are the addresses of `strategies`."""
    chance = random.Random(seed)
    bars = chance.randint(LEAST_BARS, MOST_BARS)
    kinds, weights = tuple(_WEIGHTS), tuple(_WEIGHTS.values())
    faults: list[Fault] = []
    wanted, deaths = chance.randint(LEAST_FAULTS, MOST_FAULTS), 0
    while len(faults) < wanted:
        (kind,) = chance.choices(kinds, weights)
        deaths += kind in _DEADLY
        if kind in _DEADLY and deaths > MOST_DEADLY:
            continue
        faults.append(_fault(chance, kind, bars, strategies, (*_ROLES, *roles), symbols))
    if chance.random() < COMBINED:
        faults += _combination(chance, bars, (GATEWAY, RISK, FEED, AUDIT, *roles))
    for _ in range(LEAST_SURE - sum(fault.kind in _SURE for fault in faults)):
        faults.append(Fault(FaultKind.REORDERED, chance.randint(0, bars // 2), chance.randint(1, 120)))
    if chance.random() < BY_HAND:
        bar, occasion = chance.randint(0, bars - 4), chance.randint(1, 60)
        faults.append(Fault(FaultKind.LATCH_FILE, bar, occasion, value=chance.random()))
    return Schedule(seed, bars, tuple(sorted(faults, key=lambda fault: (fault.bar, fault.kind))))


BY_HAND = 0.25
"""Share of seeds in which a person writes the latch's file while the engine runs."""

COMBINED = 0.3
"""Share of seeds with faults that only together try a defence that stands behind another."""


def _combination(chance: random.Random, bars: int, roles: Sequence[str]) -> list[Fault]:
    """Return faults that fall together: a halt told late, a former life's decision, a role that cannot stay."""
    bar = chance.randint(2, bars - 4)

    def late(message: str, occasion: int, late_s: float) -> Fault:
        return Fault(FaultKind.MESSAGE_LATE, bar, occasion, message, late_s)

    match chance.choice(("halt", "epoch", "loop")):
        case "halt":
            halt = Fault(FaultKind.COMMAND, bar, chance.randint(1, 20), "halt")
            return [halt, late("LatchChanged", 1, 4.0), late("LatchChanged", 1, 7.0)]
        case "epoch":  # who had spoken of the bar cannot when it is decided again, and decides it otherwise
            silent = chance.sample([role for role in roles if role.startswith("strategy:")], 3)
            dies = Fault(FaultKind.ROLE_CRASH, bar, chance.randint(2, 8), RISK, chance.random())
            loops = [Fault(FaultKind.CRASH_LOOP, bar, 6, role, 1.0) for role in silent]
            return [late("OrdersApproved", 1, chance.choice((1.0, 1.5, 2.5, 4.0))), dies, *loops]
        case _:
            return [Fault(FaultKind.CRASH_LOOP, bar, 6, chance.choice(roles))]


def _fault(
    chance: random.Random,
    kind: FaultKind,
    bars: int,
    strategies: Sequence[str],
    roles: Sequence[str],
    symbols: Sequence[str],
) -> Fault:
    bar = chance.randint(0, bars - 4)
    if kind in _OF_ROLES:
        return _death(chance, kind, bar, roles)
    match kind:
        case FaultKind.MESSAGE_LOST:
            return Fault(kind, bar, chance.randint(1, 4), chance.choice(LOSABLE))
        case FaultKind.MESSAGE_LATE:
            return Fault(kind, bar, chance.randint(1, 4), chance.choice(DELAYABLE), chance.choice(_LATE_S))
        case FaultKind.MESSAGE_DOUBLED:
            late_s = chance.choice((0.0, *_LATE_S))
            return Fault(kind, bar, chance.randint(1, 4), chance.choice(DOUBLABLE), late_s)
        case FaultKind.COMMAND:
            return Fault(kind, bar, chance.randint(1, 60), chance.choice(COMMANDS))
        case FaultKind.PARTIAL_FILL:
            return Fault(kind, bar, chance.randint(1, 4), chance.choice(symbols))
        case FaultKind.STRATEGY_FAILS:
            return Fault(kind, bar, chance.randint(1, 5), chance.choice(strategies), chance.random())
        case _:
            most, values = _TIMED.get(kind, (4, ()))
            value = chance.choice(values) if values else chance.random()
            return Fault(kind, bar, chance.randint(1, most), value=value)


def _death(chance: random.Random, kind: FaultKind, bar: int, roles: Sequence[str]) -> Fault:
    match kind:
        case FaultKind.CRASH_LOOP:
            return Fault(kind, bar, chance.randint(2, 6), chance.choice(roles))
        case FaultKind.DISK_FAILS:
            return Fault(kind, bar, chance.randint(1, 8), chance.choice(_DISKS))
        case _:
            return Fault(kind, bar, chance.randint(1, 30), chance.choice(roles), chance.random())


_OF_ROLES = frozenset(
    {FaultKind.ROLE_CRASH, FaultKind.ENGINE_CRASH, FaultKind.CRASH_LOOP, FaultKind.DISK_FAILS}
)

_TIMED: dict[FaultKind, tuple[int, tuple[float, ...]]] = {
    FaultKind.STOP: (60, ()),
    FaultKind.REORDERED: (120, ()),
    FaultKind.CLOCK_JUMP: (60, (2.0, 8.0, 31.0, 3_600.0)),
    FaultKind.WALL_JUMP: (60, (-3_600.0, 3_600.0, 86_400.0)),
    FaultKind.COMMAND_LATE: (4, (*_LATE_S, 70.0)),
    FaultKind.VENUE_DOWN: (20, (1.0, 5.0, 20.0, 70.0)),
}
"""Of faults that are not of four occasions and any value: the latest occasion, and the values in seconds."""


def _tickets(column: str) -> tuple[str, ...]:
    """Return the messages that `column` of the table allows, the commoner ones more often."""
    return tuple(rule.message for rule in RULES if getattr(rule, column) for _ in range(rule.weight))


LOSABLE, DELAYABLE, DOUBLABLE = _tickets("lost"), _tickets("late"), _tickets("doubled")
