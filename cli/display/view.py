"""Read what the display shows out of an engine's snapshot, typed; what is not in it stays unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cli.display.fields import Fields
from cli.display.speaking import Strategy, strategies
from domain.messages import GATEWAY, RISK, is_strategies

Snapshot = Mapping[str, Any]
"""What an engine tells of itself: phase, reason, mode, session, rung, causes, scoped, halts, roles and views."""


class Limited(NamedTuple):
    """Be a figure with the limit it must not pass, as fractions; None where unknown."""

    name: str
    value: float | None
    limit: float | None


class Account(NamedTuple):
    """Be the account's figures in its currency; None where unknown."""

    equity: float | None
    opening: float | None
    day_start: float | None
    cash: float | None
    limited: tuple[Limited, ...]
    safe: bool | None
    reasons: tuple[str, ...]


class Position(NamedTuple):
    """Be one book's open position."""

    symbol: str
    book: str
    lots: int
    average: float | None
    mark: float | None
    unrealised: float | None
    stop: float | None


class Order(NamedTuple):
    """Be one open order; `price` is its stop, or what it was decided at."""

    symbol: str
    book: str
    kind: str
    side: str
    lots: int
    filled: int
    price: float | None
    state: str
    bar: int | None


class Actor(NamedTuple):
    """Be one role's process as it is seen from outside."""

    role: str
    status: str
    generation: int
    restarts: int
    why: str
    rss_bytes: int | None
    busy_s: float | None
    queued: int | None


class View(NamedTuple):
    """Be all that is shown of an engine at a moment."""

    mode: str
    session: str
    phase: str
    reason: str
    rung: str
    causes: tuple[str, ...]
    scoped: tuple[tuple[str, str], ...]
    breakers: tuple[tuple[str, str], ...]
    halts: int
    trouble: str
    waiting_for: tuple[str, ...]
    bar: int | None
    account: Account
    strategies: tuple[Strategy, ...]
    positions: tuple[Position, ...]
    positions_in_all: int
    orders: tuple[Order, ...]
    orders_in_all: int
    actors: tuple[Actor, ...]


def read(snapshot: Snapshot) -> View:
    """Return what `snapshot` tells."""
    top = Fields(snapshot)
    views = top.within("views")
    risk, gateway = views.within(RISK), views.within(GATEWAY)
    positions, orders = risk.listed("holdings"), gateway.listed("open")
    return View(
        mode=top.text("mode"),
        session=top.text("session"),
        phase=top.text("phase"),
        reason=top.text("reason"),
        rung=top.text("rung") or risk.text("rung"),
        causes=causes(top),
        scoped=tuple(_pair(each) for each in top.listed("scoped")),
        breakers=_breakers(risk, gateway),
        halts=top.whole("halts"),
        trouble=_last(top.listed("failures")),
        waiting_for=tuple(map(str, top.listed("waiting_for"))),
        bar=None if (bar := risk.number("bar")) is None else int(bar),
        account=_account(risk),
        strategies=strategies(views, top.within("roles")),
        positions=tuple(_position(Fields(each)) for each in positions),
        positions_in_all=max(len(positions), risk.whole("holdings_in_all")),
        orders=tuple(_order(Fields(each)) for each in orders),
        orders_in_all=max(len(orders), gateway.whole("open_orders")),
        actors=_actors(top.within("roles")),
    )


def causes(top: Fields) -> tuple[str, ...]:
    """Return what holds the account up, each with its words where they are told."""
    words = {}
    for each in top.listed("halted_by"):
        cause = Fields(each)
        if not cause.text("scope"):
            words[cause.text("trigger")] = cause.text("detail")
    named = map(str, top.listed("causes"))
    return tuple(": ".join(filter(None, (name.replace("_", " "), words.get(name)))) for name in named)


def _breakers(risk: Fields, gateway: Fields) -> tuple[tuple[str, str], ...]:
    """Return those of the account's circuit breakers that are not closed; the strategies' stand in their table."""
    entries = risk.within("entry_breakers")
    told = [("broker", gateway.text("breaker")), *((name, entries.text(name)) for name, _ in entries.named())]
    return tuple((name, state) for name, state in told if state not in ("", "closed"))


def _pair(value: Any) -> tuple[str, str]:
    return (
        (str(value[0]), str(value[1]))
        if isinstance(value, list | tuple) and len(value) == 2
        else (str(value), "")
    )


def _last(words: Sequence[Any]) -> str:
    return str(words[-1]) if words else ""


def _account(risk: Fields) -> Account:
    limits = risk.within("limits")
    limited = [
        ("drawdown", "max_total_drawdown"),
        ("heat", "max_portfolio_heat"),
        ("daily_loss", "max_daily_loss"),
        ("gross_exposure", "max_gross_exposure"),
    ]
    return Account(
        equity=risk.number("equity"),
        opening=risk.number("opening_equity"),
        day_start=risk.number("day_start_equity"),
        cash=risk.number("cash"),
        limited=tuple(Limited(name, risk.number(name), limits.number(limit)) for name, limit in limited),
        safe=risk.truth("is_safe_to_trade"),
        reasons=tuple(map(str, risk.listed("reasons"))),
    )


def _position(held: Fields) -> Position:
    return Position(
        symbol=held.text("symbol"),
        book=held.text("book"),
        lots=held.whole("lots"),
        average=held.number("average_price"),
        mark=held.number("mark"),
        unrealised=held.number("unrealised"),
        stop=held.number("stop"),
    )


def _order(order: Fields) -> Order:
    bar = order.number("bar")
    return Order(
        symbol=order.text("symbol"),
        book=order.text("book"),
        kind=order.text("kind"),
        side=order.text("side"),
        lots=order.whole("lots"),
        filled=order.whole("filled_lots"),
        price=order.number("price"),
        state=order.text("state"),
        bar=None if bar is None else int(bar),
    )


def _actors(roles: Fields) -> tuple[Actor, ...]:
    found = []
    for role, value in roles.named():
        seen = Fields(value)
        rss, queued = seen.number("rss_bytes"), seen.number("queued")
        found.append(
            Actor(
                role=role,
                status=seen.text("status"),
                generation=seen.whole("generation"),
                restarts=seen.whole("restarts"),
                why=seen.text("why"),
                rss_bytes=int(rss) if rss else None,
                busy_s=seen.number("busy_s"),
                queued=None if queued is None else int(queued),
            )
        )
    return tuple(sorted(found, key=lambda actor: (is_strategies(actor.role), actor.role)))
