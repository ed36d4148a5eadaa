"""Show strategies, positions, orders and actors, a row each."""

from __future__ import annotations

from rich.segment import Segment

from cli.display.figures import lots, price, size, whole
from cli.display.lines import Column, Line, heading, piece, table
from cli.display.speaking import Strategy
from cli.display.styles import (
    AMBER,
    FAINT,
    MUTED,
    NOTHING,
    PLAIN,
    RED,
    TEAL,
    VERMILION,
    Badge,
    breaker_badge,
    gain_style,
    signed,
    status_badge,
)
from cli.display.view import Actor, View
from cli.formats import count
from domain.messages import strategy_role

_STRATEGIES = (
    Column("", 24, grows=True, snug=True),
    Column("breaker", 13, snug=True),
    Column("last signal", 13),
    Column("of bar", 8, right=True, spare=2),
    Column("bars", 8, right=True, spare=3),
    Column("failed", 6, right=True),
)
_POSITIONS = (
    Column("", 12, grows=True, snug=True),
    Column("book", 8, spare=4, snug=True),
    Column("lots", 8, right=True),
    Column("average", 10, right=True, spare=3),
    Column("mark", 10, right=True, spare=2),
    Column("unrealised", 12, right=True),
    Column("stop", 10, right=True, spare=1),
)
_ORDERS = (
    Column("", 12, grows=True, snug=True),
    Column("book", 8, spare=4, snug=True),
    Column("what", 10),
    Column("lots", 8, right=True),
    Column("filled", 8, right=True, spare=2),
    Column("price", 10, right=True, spare=1),
    Column("state", 16, snug=True),
    Column("of bar", 8, right=True, spare=3),
)
_ACTORS = (
    Column("", 24, grows=True, snug=True),
    Column("status", 13, snug=True),
    Column("gen", 3, right=True, spare=3),
    Column("restarts", 8, right=True, spare=1),
    Column("memory", 9, right=True),
    Column("queue", 5, right=True, spare=2),
)
_LONG_BUSY_S = 2.0
"""Seconds at one message from which a role is said to be busy; a bar takes milliseconds."""
_LONG_QUEUE = 100
"""Messages waiting at a role from which it is said to lag; a bar is a handful."""


def strategies(view: View, width: int, height: int) -> list[Line]:
    """Return each strategy's breaker, the surest of its last signals, and its failures."""
    rows = [_strategy(each) for each in sorted(view.strategies, key=_trouble_first)]
    return table(f"Strategies {len(rows)}", _STRATEGIES, rows, width, height, empty="none is known yet")


def positions(view: View, width: int, height: int, *, orders: bool = False) -> list[Line]:
    """Return the open positions; with `orders` the title counts the open orders too, which have no table then."""
    rows = [
        [
            piece(each.symbol),
            piece(each.book, MUTED),
            piece(lots(each.lots)),
            piece(price(each.average), MUTED),
            piece(price(each.mark)),
            piece(
                NOTHING if each.unrealised is None else signed(each.unrealised),
                gain_style(each.unrealised or 0.0),
            ),
            piece(price(each.stop), MUTED if each.stop else FAINT),
        ]
        for each in view.positions
    ]
    title = f"Positions {view.positions_in_all}"
    if orders:
        title += f", orders {view.orders_in_all}"
    return table(title, _POSITIONS, rows, width, height, empty="none is open")


def orders(view: View, width: int, height: int) -> list[Line]:
    """Return the open orders, the newest first, protective stops after the others."""
    rows = [
        [
            piece(each.symbol),
            piece(each.book, MUTED),
            piece(f"{each.side} {each.kind}", TEAL if each.side == "buy" else VERMILION),
            piece(lots(each.lots)),
            piece(whole(each.filled) if each.filled else NOTHING, PLAIN if each.filled else FAINT),
            piece(price(each.price), MUTED),
            piece(each.state.replace("_", " "), RED if each.state == "unknown" else PLAIN),
            piece(whole(each.bar), MUTED),
        ]
        for each in sorted(view.orders, key=lambda order: order.kind == "stop")
    ]
    return table(f"Open orders {view.orders_in_all}", _ORDERS, rows, width, height, empty="none works")


def actors(view: View, width: int, height: int) -> list[Line]:
    """Return each role's process, those in trouble first."""
    shown = sorted(view.actors, key=lambda actor: not _in_trouble(actor))
    rows = [_actor(each) for each in shown]
    return table(f"Actors {len(rows)}", _ACTORS, rows, width, height, empty="none is at work yet")


def actors_line(view: View, width: int) -> Line:
    """Return one line about all actors: how many, and what is the matter with which."""
    bad = [each for each in view.actors if _in_trouble(each)]
    restarts = sum(each.restarts for each in view.actors)
    largest = max((each.rss_bytes or 0 for each in view.actors), default=0)
    notes = [count(restarts, "restart")] + ([f"largest {size(largest)}"] if largest else [])
    if not view.actors:
        return heading("Actors", width, "none is at work yet")
    if bad:
        notes.insert(0, ", ".join(f"{_short(each.role)} {_status(each).text[2:]}" for each in bad))
    return heading(f"Actors {len(view.actors)}", width, " · ".join(notes))


def _strategy(shown: Strategy) -> list[Segment]:
    badge = breaker_badge(shown.breaker)
    failed = f"{shown.failures:,}" if shown.failures else NOTHING
    return [
        piece(shown.name),
        piece(badge.text, badge.style),
        _said(shown),
        piece(whole(shown.said_bar), MUTED),
        piece(whole(shown.bars), MUTED),
        piece(failed, RED if shown.in_a_row else AMBER if shown.failures else FAINT),
    ]


def _said(shown: Strategy) -> Segment:
    """Return the surest signal and how many more there were that bar."""
    if shown.said is None:
        return Segment(NOTHING, FAINT)
    symbol, direction, confidence = shown.said
    more = shown.buys + shown.sells - 1
    sure = f"{confidence:.2f}".lstrip("0") if confidence < 1.0 else "1.0"
    text = f"{'▲' if direction > 0 else '▼'} {symbol} {sure}" + (f" +{more}" if more > 0 else "")
    return piece(text, TEAL if direction > 0 else VERMILION)


def _trouble_first(shown: Strategy) -> tuple[bool, str]:
    return shown.breaker in ("", "closed") and not shown.in_a_row, shown.name


def _actor(shown: Actor) -> list[Segment]:
    badge = _status(shown)
    queued = shown.queued or 0
    return [
        piece(_short(shown.role)),
        piece(badge.text, badge.style),
        piece(whole(shown.generation) if shown.generation else NOTHING, MUTED),
        piece(whole(shown.restarts), AMBER if shown.restarts else FAINT),
        piece(size(shown.rss_bytes), MUTED),
        piece(whole(shown.queued), AMBER if queued >= _LONG_QUEUE else FAINT),
    ]


def _short(role: str) -> str:
    return role.removeprefix(strategy_role(""))


def _status(actor: Actor) -> Badge:
    """Return where an actor stands; one that has been at one message for long is busy, or hangs."""
    badge = status_badge(actor.status)
    if badge.style is TEAL and (actor.busy_s or 0.0) >= _LONG_BUSY_S:
        return Badge(f"◐ busy {actor.busy_s:.0f} s", AMBER)
    return badge


def _in_trouble(actor: Actor) -> bool:
    return _status(actor).style in (RED, AMBER)
