"""Read what the strategies say, through whichever role each of them speaks, and what others say of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cli.display.fields import Fields
from domain.messages import RISK


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
    """Return the strategies by name: what each tells of itself, and what the risk manager tells of it."""
    risk = views.within(RISK)
    failures, breakers = risk.within("failures"), risk.within("breakers")
    totals, consecutive = failures.within("totals"), failures.within("consecutive")
    told = {name: Fields(own) for role, _ in views.named() for name, own in _spoken(views, role)}
    named = {str(name) for role, _ in roles.named() for name in roles.within(role).listed("strategies")}
    return tuple(
        _strategy(name, told.get(name, Fields(None)), breakers, totals.whole(name), consecutive.whole(name))
        for name in sorted(named | told.keys())
    )


def _spoken(views: Fields, role: str) -> list[tuple[str, object]]:
    return views.within(role).within("strategies").named()


def _strategy(name: str, own: Fields, breakers: Fields, failed: int, in_a_row: int) -> Strategy:
    said = own.within("last_said")
    bars = own.number("bars")
    said_bar = said.number("bar")
    return Strategy(
        name=name,
        breaker=breakers.within(name).text("state")
        or ("" if breakers.within(name).named() else breakers.text(name)),
        said=_said(said.listed("strongest")),
        buys=said.whole("buys"),
        sells=said.whole("sells"),
        said_bar=None if said_bar is None else int(said_bar),
        bars=None if bars is None else int(bars),
        failures=max(failed, own.whole("failures")),
        in_a_row=in_a_row,
    )


def _said(strongest: Sequence[object]) -> tuple[str, int, float] | None:
    match strongest:
        case [str(symbol), int(direction), int() | float() as confidence]:
            return symbol, direction, float(confidence)
        case _:
            return None
