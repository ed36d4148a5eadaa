"""Word what a kill did, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.kill_switch import Killed
    from domain.broker import OrderReported

NAMED = 5
"""Orders that a line names one by one; JSON names all."""


def values_of(killed: Killed) -> dict[str, Any]:
    """Return what was found, cancelled and closed, JSON-able; `state` tells an order that fills from one that has."""
    closed = [
        {**_order(order), "state": _state(order, killed.filled.get(ref, 0))}
        for ref, order in killed.sent.items()
    ]
    return {
        "done": killed.done,
        "found": {
            "open_orders": [order.order_ref for order in killed.found or ()],
            "positions": [each._asdict() for each in killed.held or ()],
        },
        "cancelled": list(killed.cancelled),
        "closing": closed,
        "closing_before": [_order(each) for each in killed.closing if each.order_ref not in killed.sent],
        "refused": dict(killed.refused),
        "stops_kept": [order.order_ref for order in killed.kept],
        "left": killed.left,
        "positions": {position.symbol: position.lots for position in killed.positions},
        "faults": killed.faults,
    }


def _order(order: OrderReported) -> dict[str, Any]:
    return {
        "order_ref": order.order_ref,
        "symbol": order.symbol,
        "side": order.side.value,
        "lots": order.lots - order.filled_lots,
    }


def _state(order: OrderReported, filled: int) -> str:
    return "filled" if filled >= order.lots else "accepted" if not filled else "filled in part"


def detail_of(killed: Killed) -> str:
    """Return in one line what was done: it goes into the latch's file, and so into the audit trail."""
    if killed.found is None:
        return "the venue did not answer: nothing is known to be cancelled or closed"
    if killed.done and not (killed.cancelled or killed.sent or killed.closing or killed.kept):
        return "nothing was open and nothing held"
    parts = [f"{len(killed.cancelled)} orders cancelled"]
    if killed.sent:
        filled = sum(killed.filled.get(ref, 0) >= order.lots for ref, order in killed.sent.items())
        parts.append(f"{len(killed.sent)} closing orders accepted, {filled} of them filled")
    before = sum(order.order_ref not in killed.sent for order in killed.closing)
    parts += [f"{before} closing orders were there"] if before else []
    parts += [f"{len(killed.kept)} protective stops stay"] if killed.kept else []
    parts += [f"{len(killed.refused)} closing orders refused"] if killed.refused else []
    return ", ".join(parts) if killed.done else f"NOT DONE: {', '.join(parts)}"


def print_kill(body: Mapping[str, Any]) -> None:
    """Print what a kill did, on standard error where it was not done."""
    from rich.text import Text

    from cli.console import ERR, OUT
    from cli.tables import say

    console = OUT if body["ok"] else ERR
    word, style = ("killed", "bold green") if body["ok"] else ("NOT DONE", "bold red")
    say(console, Text.assemble((word, style), f"  {body['detail']} ({body['elapsed_s']:.2f} s)"))
    for line in _lines(body):
        say(console, Text(f"  {line}"))


def _lines(body: Mapping[str, Any]) -> list[str]:
    latch = body["latch"]
    stands = f"says {latch['rung']}" if latch["written"] else f"COULD NOT BE WRITTEN: {latch['fault']}"
    lines = [f"latch file {latch['file']} {stands}"]
    lines += [
        f"{each['side']} {each['lots']} {each['symbol']}: closing order {each['state']} ({each['order_ref']})"
        for each in body.get("closing", ())
    ]
    if any(each["state"] == "accepted" for each in body.get("closing", ())):
        lines.append("accepted: it fills at the symbol's next bar; until then its protective stop works too")
    lines += [f"refused: {symbol}: {why}" for symbol, why in body.get("refused", {}).items()]
    left = body.get("left", [])
    lines += [
        f"still open: {', '.join(left[:NAMED])}{f' and {len(left) - NAMED} more' if left[NAMED:] else ''}"
    ] * bool(left)
    lines += [f"failed on the way: {fault}" for fault in body.get("faults", ())]
    return lines
