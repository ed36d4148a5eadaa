"""Put a record of the audit trail into one line of words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cli.formats import money
from domain.outbox import AuditKind

_LONGEST = 300


def in_words(kind: str, body: object) -> str:
    """Return what a record says; a body that lacks what its kind should have is told name by name."""
    if not isinstance(body, Mapping):
        return plain(body)
    try:
        return _shortened(WORDS[kind](body) if kind in WORDS else plain(body))
    except (KeyError, TypeError, ValueError, IndexError):
        return _shortened(plain(body))


def plain(value: object) -> str:
    """Return any value as text: names with their values, nothing that is empty, no digits beyond use."""
    if isinstance(value, Mapping):
        named = ((str(name).replace("_", " "), plain(item)) for name, item in value.items())
        return ", ".join(f"{name} {text}" for name, text in named if text)
    if isinstance(value, list | tuple):
        return "; ".join(
            " ".join(map(plain, item)) if isinstance(item, list) else plain(item) for item in value
        )
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return _figure(value) if isinstance(value, float) else str(value)


def _figure(value: float) -> str:
    return f"{value:,.6g}" if abs(value) < 1_000.0 else f"{value:,.2f}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _signals(body: Mapping[str, Any]) -> str:
    """Word signals as `momentum_fast AAPL -0.54 GOOG +0.91`: the sign is the direction, the figure the confidence."""
    said = []
    for strategy, signals in body.items():
        each = (
            f"{symbol} {'+' if way > 0 else '-'}{sure:.2f}" if way else f"{symbol} 0"
            for symbol, way, sure in signals
        )
        said.append(f"{strategy} {' '.join(each)}")
    return "; ".join(said)


def _votes(votes: Mapping[str, Any]) -> str:
    parts = [
        f"{len(votes[side])} {side} ({', '.join(votes[side])})"
        for side in ("long", "short", "failed")
        if votes[side]
    ]
    return ", ".join(parts) or "no votes"


def _vote(body: Mapping[str, Any]) -> str:
    return f"held: {body['held']}; {_votes(body)}"


def _assessment(body: Mapping[str, Any]) -> str:
    votes = _votes(body["votes"])
    if "figures" not in body:
        return f"refused: {body['denied']}; {votes}"
    value = f"${body['figures']['value_usd']:,.2f}"
    intent = f"{body['kind']} of {body['lots']:+,} lots, {value}"
    verdict = f"refused: {body['denied']}" if body["denied"] else "approved"
    return f"{verdict}: {intent}; {body['reason']}"


def _order(body: Mapping[str, Any]) -> str:
    asked = f"{body['side']} {body['lots']:,} lots, {body['type'].replace('_', ' ')}, {body['kind']}"
    at = f"reference {_figure(body['reference_price'])}"
    return f"refused: {body['refused']}; {asked}, {at}" if body["refused"] else f"{asked}, {at}"


def _order_state(body: Mapping[str, Any]) -> str:
    text = f"{body['state'].replace('_', ' ')}, {body['filled_lots']:,} of {body['lots']:,} lots filled"
    stop = f", stop {_figure(body['stop_price'])}" if body["stop_price"] else ""
    return text + stop + (f": {body['text']}" if body["text"] else "")


def _execution(body: Mapping[str, Any]) -> str:
    text = f"{body['side']} {body['lots']:,} lots {body['symbol']} at {_figure(body['price'])}"
    text += f", commission {money(body['commission_micro'])}, of {body['intent']}"
    return text + (f", corrects {body['corrects']}" if body["corrects"] else "")


def _position(body: Mapping[str, Any]) -> str:
    held = (
        f"{body['lots']:+,} lots {body['symbol']} at {_figure(body['average_price'])}"
        if body["lots"]
        else "flat"
    )
    return f"{held}, realised {money(body['realised_micro'])}, cash {money(body['cash_micro'])}"


def _dividend(body: Mapping[str, Any]) -> str:
    return f"{body['symbol']} {_figure(body['per_unit'])} a unit, {money(body['amount_micro'])} in all"


def _heat_warning(body: Mapping[str, Any]) -> str:
    return str(body["text"])


def _halt(body: Mapping[str, Any]) -> str:
    moved = f"{body['previous']} to {body['rung']}"
    return f"{moved} by {body['raised_by']}, {body['trigger'].replace('_', ' ')}: {body['detail']}"


def _breaker(body: Mapping[str, Any]) -> str:
    before, after = (str(body[name]).replace("_", "-") for name in ("before", "after"))
    return f"{before} to {after}: {body['cause']}"


def _failure(body: Mapping[str, Any]) -> str:
    if "traceback" in body:
        return f"traceback: {str(body['traceback']).strip().splitlines()[-1]}"
    return f"{body['kind'].replace('_', ' ')}: {body['error']}"


def _started(body: Mapping[str, Any]) -> str:
    return (
        f"{body['mode']}, session {body['session']}, from bar {body['first']:,}, {_listed(body['symbols'])}"
    )


def _stopped(body: Mapping[str, Any]) -> str:
    return str(body["reason"])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


WORDS = {
    AuditKind.SIGNALS.value: _signals,
    AuditKind.SIGNAL_FAILURE.value: _failure,
    AuditKind.VOTE.value: _vote,
    AuditKind.ASSESSMENT.value: _assessment,
    AuditKind.ORDER.value: _order,
    AuditKind.ORDER_STATE.value: _order_state,
    AuditKind.EXECUTION.value: _execution,
    AuditKind.POSITION.value: _position,
    AuditKind.DIVIDEND.value: _dividend,
    AuditKind.HEAT_WARNING.value: _heat_warning,
    AuditKind.BREAKER.value: _breaker,
    AuditKind.HALT.value: _halt,
    AuditKind.STARTED.value: _started,
    AuditKind.STOPPED.value: _stopped,
}
