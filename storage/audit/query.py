"""Query the audit trail through its index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select

from domain.order_refs import without_session
from domain.outbox import AuditKind
from storage.audit.index import AuditIndex, records, subjects_of
from storage.audit.subjects import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Say which records are wanted; what is left empty or None is not asked. Ends of ranges are included.

    `since_ns` and `until_ns` are event time (UTC ns), `wall_since_ns` and `wall_until_ns` when the record was written,
    `from_bar` and `to_bar` group indexes. `ref` is an order's ref, with its session or without, and finds its stop and
    its positions too. `text` is looked for in key and body; capitals of A to Z do not matter. `limit` keeps the newest
    when `newest_first`, else the oldest.
    """

    kinds: tuple[AuditKind, ...] = ()
    since_ns: int | None = None
    until_ns: int | None = None
    wall_since_ns: int | None = None
    wall_until_ns: int | None = None
    from_bar: int | None = None
    to_bar: int | None = None
    source: str = ""
    symbol: str = ""
    strategy: str = ""
    ref: str = ""
    text: str = ""
    decisions_only: bool = False
    newest_first: bool = False
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """Be one record of the trail, as a query gives it."""

    seq: int
    source: str
    source_seq: int
    wall_ns: int
    kind: str
    at_ns: int
    bar: int
    key: str
    decision: bool
    body: Any
    hash: str


def run_query(index: AuditIndex, query: AuditQuery) -> Iterator[AuditRecord]:
    """Yield the records that `query` asks for, by number; brings the index up to date first."""
    index.update()
    with index.engine.connect() as connection:
        for row in connection.execution_options(yield_per=1_000).execute(_statement(query)):
            yield _record(row)


def _statement(query: AuditQuery) -> Select[Any]:
    columns = records.c
    ranges: list[tuple[int | None, int | None, ColumnElement[int]]] = [
        (query.since_ns, query.until_ns, columns.at_ns),
        (query.wall_since_ns, query.wall_until_ns, columns.wall_ns),
        (query.from_bar, query.to_bar, columns.bar),
    ]
    wanted: list[ColumnElement[bool]] = [columns.source == query.source] if query.source else []
    for subject, name in ((Subject.SYMBOL, query.symbol), (Subject.STRATEGY, query.strategy)):
        wanted += [columns.seq.in_(_about(subject, subjects_of.c.name == name))] if name else []
    for low, high, column in ranges:
        wanted += [column >= low] if low is not None else []
        wanted += [column <= high] if high is not None else []
    if query.kinds:
        wanted.append(columns.kind.in_([kind.value for kind in query.kinds]))
    if query.ref:
        wanted.append(_story(query.ref))
    if query.text:
        # A body is JSON, in which the text stands as JSON spells it.
        spelled = json.dumps(query.text)[1:-1]
        wanted.append(
            or_(
                columns.key.icontains(query.text, autoescape=True),
                columns.body.icontains(spelled, autoescape=True),
            )
        )
    if query.decisions_only:
        wanted.append(columns.decision.is_(True))
    order = columns.seq.desc() if query.newest_first else columns.seq
    statement = select(records).where(*wanted).order_by(order)
    return statement if query.limit is None else statement.limit(query.limit)


def _about(subject: Subject, name: ColumnElement[bool]) -> Select[Any]:
    return select(subjects_of.c.seq).where(subjects_of.c.subject == subject.value, name)


def _story(ref: str) -> ColumnElement[bool]:
    """Return what finds an order's records: those about it or its stop, and the positions its executions led to."""
    refs = {ref, without_session(ref)} if ref.partition(".")[0].isdecimal() else {ref}
    name = subjects_of.c.name
    told = _about(
        Subject.REF,
        or_(*(or_(name == each, name.startswith(f"{each}.", autoescape=True)) for each in sorted(refs))),
    )
    # A position is told under the number of the execution that led to it.
    executions = select(records.c.key).where(
        records.c.kind == AuditKind.EXECUTION.value, records.c.seq.in_(told)
    )
    position = and_(records.c.kind == AuditKind.POSITION.value, records.c.key.in_(executions))
    return or_(records.c.seq.in_(told), position)


def _record(row: Row[Any]) -> AuditRecord:
    return AuditRecord(
        seq=row.seq,
        source=row.source,
        source_seq=row.source_seq,
        wall_ns=row.wall_ns,
        kind=row.kind,
        at_ns=row.at_ns,
        bar=row.bar,
        key=row.key,
        decision=bool(row.decision),
        body=json.loads(row.body),
        hash=row.hash,
    )
