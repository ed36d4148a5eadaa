"""Say which symbols, strategies and orders a record of the audit trail is about, so that a query can find it by them.

An order's ref is told without its session (`main.IBM.19.1`), as decisions name it; its stop's ref adds `.stop`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from domain.outbox import AuditKind


class Subject(StrEnum):
    """Name what a record can be about."""

    SYMBOL = "symbol"
    STRATEGY = "strategy"
    REF = "ref"


_NAMED = {
    "symbol": Subject.SYMBOL,
    "strategy": Subject.STRATEGY,
    "intent": Subject.REF,
    "intent_id": Subject.REF,
    "order_ref": Subject.REF,
    "correlation_id": Subject.REF,
}
"""Names in a body whose text is a subject."""

_REF = re.compile(r"(?P<book>[^.]+)\.(?P<symbol>.+)\.(?:\d+|kill)\.\d+(?:\.stop)*")
"""Form of an order's ref: book, symbol (which may hold dots itself), bar (or that a kill sent it), number."""


def subjects(kind: str, key: str, body: object) -> set[tuple[Subject, str]]:
    """Return what a record of that kind, key and body is about."""
    named: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    found = {(subject, str(named[name])) for name, subject in _NAMED.items() if named.get(name)}
    match kind:
        case AuditKind.SIGNALS:
            found.update(_of_signals(named))
        case AuditKind.VOTE | AuditKind.ASSESSMENT:
            found.update(_of_ref(key) or [(Subject.SYMBOL, key.partition(".")[2])])
            votes = named.get("votes", named)
            found.update(
                (Subject.STRATEGY, name)
                for side in ("long", "short", "failed")
                for name in votes.get(side, ())
            )
        case AuditKind.ORDER | AuditKind.CANCEL:
            found.update(_of_ref(key))
        case AuditKind.ORDER_STATE:
            ref = key.rpartition(".")[0]
            found.update(_of_ref(ref) or [(Subject.REF, ref)])
        case AuditKind.SIGNAL_FAILURE:
            strategy, _, symbol = key.partition(".")
            found.update([(Subject.STRATEGY, strategy), (Subject.SYMBOL, symbol)])
        case AuditKind.BAD_BAR:
            found.add((Subject.SYMBOL, key.rpartition(".")[0]))
    return {(subject, name) for subject, name in found if name}


def _of_ref(ref: str) -> list[tuple[Subject, str]]:
    match = _REF.fullmatch(ref)
    return [] if match is None else [(Subject.REF, ref), (Subject.SYMBOL, match["symbol"])]


def _of_signals(spoken: Mapping[str, Any]) -> Iterator[tuple[Subject, str]]:
    """Yield the strategies that spoke on a bar and the symbols they spoke of."""
    for strategy, signals in spoken.items():
        if isinstance(signals, list):
            yield Subject.STRATEGY, strategy
            yield from ((Subject.SYMBOL, str(signal[0])) for signal in signals)
