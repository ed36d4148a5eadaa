"""Export records of the audit trail as CSV or JSON Lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from enum import StrEnum
from typing import TextIO

from storage.audit.query import AuditRecord
from storage.canonical import canonical


class ExportFormat(StrEnum):
    """Name the formats."""

    CSV = "csv"
    JSONL = "jsonl"


def export_records(records: Iterable[AuditRecord], target: TextIO, form: ExportFormat) -> int:
    """Write `records` to `target` and return how many; open `target` with newline="" for CSV.

    In CSV the body is one column of JSON, and text that a spreadsheet would take for a formula is preceded by an
    apostrophe (OWASP, CSV injection).
    """
    names = [field.name for field in fields(AuditRecord)]
    written = 0
    table = csv.writer(target)
    if form is ExportFormat.CSV:
        table.writerow(names)
    for record in records:
        values = asdict(record)
        if form is ExportFormat.CSV:
            values["body"] = canonical(values["body"])
            table.writerow([_harmless(values[name]) for name in names])
        else:
            target.write(json.dumps(values, separators=(",", ":")) + "\n")
        written += 1
    return written


def _harmless(value: object) -> object:
    return (
        f"'{value}"
        if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
        else value
    )
