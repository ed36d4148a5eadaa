"""Read what the strategies say, through whichever role each of them speaks, and what others say of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cli.display.fields import Fields
from domain.messages import RISK
from domain.signals import strategy_of


class Strategy(NamedTuple):
    """Be one strategy: its breaker, what it said last and at which bar, how many bars it saw, and its failures."""

    name: str
    breaker: str
    said: tuple[str, int, float] | None
    buys: int
    sells: int
    said_bar: int | None
    bars: int | None
    failures: int
    in_a_row: int


def strategies(views: Fields, roles: Fields) -> tuple[Strategy, ...]:
    """Return the strategies by id: what each tells of itself, and what the risk manager tells of it.

    What the parts of one tell is put together.
    """
    risk = views.within(RISK)
    failures, breakers = risk.within("failures"), risk.within("breakers")
    totals, consecutive = failures.within("totals"), failures.within("consecutive")
    told: dict[str, list[Fields]] = {}
    for role, _ in roles.named():
        for name in roles.within(role).listed("strategies"):
            told.setdefault(strategy_of(str(name)), [])
    for role, _ in views.named():
        for name, own in views.within(role).within("strategies").named():
            told.setdefault(strategy_of(name), []).append(Fields(own))
    return tuple(
        _strategy(name, parts, breakers, totals.whole(name), consecutive.whole(name))
        for name, parts in sorted(told.items())
    )


def _strategy(name: str, parts: list[Fields], breakers: Fields, failed: int, in_a_row: int) -> Strategy:
    bars = [seen for own in parts if (seen := own.number("bars")) is not None]
    said = [own.within("last_said") for own in parts]
    newest = max((bar for each in said if (bar := each.number("bar")) is not None), default=None)
    last = [each for each in said if newest is not None and each.number("bar") == newest]
    surest = [found for each in last if (found := _said(each.listed("strongest"))) is not None]
    return Strategy(
        name=name,
        breaker=breakers.within(name).text("state")
        or ("" if breakers.within(name).named() else breakers.text(name)),
        said=max(surest, key=lambda found: found[2], default=None),
        buys=sum(each.whole("buys") for each in last),
        sells=sum(each.whole("sells") for each in last),
        said_bar=None if newest is None else int(newest),
        bars=int(max(bars)) if bars else None,
        failures=max(failed, sum(own.whole("failures") for own in parts)),
        in_a_row=in_a_row,
    )


def _said(strongest: Sequence[object]) -> tuple[str, int, float] | None:
    match strongest:
        case [str(symbol), int(direction), int() | float() as confidence]:
            return symbol, direction, float(confidence)
        case _:
            return None
