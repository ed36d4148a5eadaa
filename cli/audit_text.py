"""Lay out records of the audit trail for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from cli.audit_words import in_words
from cli.formats import count, iso_utc, utc
from cli.tables import Column, print_table, say
from domain.outbox import AuditKind
from storage.audit.query import AuditRecord

_COLUMNS = (
    Column("Record", right=True),
    Column("Time (UTC)", spare=2),
    Column("Bar", right=True, spare=1),
    Column("Kind"),
    Column("Key"),
    Column("What", wraps=30),
)

_STYLES = {
    AuditKind.BREAKER.value: "yellow",
    AuditKind.HALT.value: "bold red",
    AuditKind.HEAT_WARNING.value: "yellow",
    AuditKind.SIGNAL_FAILURE.value: "red",
    AuditKind.BAD_BAR.value: "red",
    AuditKind.ORDER.value: "cyan",
    AuditKind.EXECUTION.value: "green",
    AuditKind.INTERVENTION.value: "bold yellow",
}


def record_values(record: AuditRecord) -> dict[str, Any]:
    """Return one record as `--json` prints it."""
    return {
        "seq": record.seq,
        "source": record.source,
        "source_seq": record.source_seq,
        "kind": record.kind,
        "at_ns": record.at_ns,
        "at": iso_utc(record.at_ns),
        "written_ns": record.wall_ns,
        "written": iso_utc(record.wall_ns),
        "bar": record.bar,
        "key": record.key,
        "decision": record.decision,
        "body": record.body,
        "hash": record.hash,
    }


def print_records(console: Console, records: Sequence[AuditRecord], *, more: bool) -> None:
    """Print records in order; `more` says that there are older ones."""
    if not records:
        say(console, "No record matches.")
        return
    rows = [
        (
            f"{record.seq:,}",
            utc(record.at_ns),
            f"{record.bar:,}" if record.bar >= 0 else "",
            Text(record.kind.replace("_", " "), style=_STYLES.get(record.kind, "")),
            record.key,
            in_words(record.kind, record.body),
        )
        for record in records
    ]
    print_table(console, _COLUMNS, rows)
    older = "; older ones match too, --limit 0 shows all" if more else ""
    say(console, Text(f"{count(len(records), 'record')}{older}", style="dim"))
