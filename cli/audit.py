"""Verify, query and export the audit trail: `breakwater audit verify|query|export`."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.audit_filters import build_query
from cli.audit_text import print_records, record_values
from cli.console import OUT
from cli.formats import count
from cli.options import DEFAULT_STATE, ConfigOption, JsonOption, StateOption, UsageError, as_symbol
from cli.output import command, print_json
from cli.stores import Stores
from cli.tables import print_pairs, say
from cli.trail import find_trail, find_trail_alone, opened_index, unreadable, verifier
from cli.writing import refuse_overwriting, replacing_text
from domain.errors import AuditError
from domain.outbox import AuditKind
from storage.audit.export import ExportFormat, export_records
from storage.audit.findings import Finding, Tampering, Verification
from storage.audit.query import AuditQuery, run_query
from storage.audit.verify import verify_trail
from storage.state import SESSION, StateDirectory

app = typer.Typer()

SHOWN = 50

KindOption = Annotated[
    list[AuditKind] | None,
    typer.Option(
        "--kind",
        metavar="KIND",
        help=f"Records of this kind; may be given several times: {', '.join(AuditKind)}.",
    ),
]
SymbolOption = Annotated[
    str | None,
    typer.Option("--symbol", metavar="SYMBOL", parser=as_symbol, help="Records that name this symbol."),
]
StrategyOption = Annotated[
    str | None, typer.Option("--strategy", metavar="ID", help="Records that name this strategy's instance.")
]
FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="BAR|TIME", help="First bar's number, day or UTC time of the event."),
]
ToOption = Annotated[
    str | None, typer.Option("--to", metavar="BAR|TIME", help="Last bar's number, day or UTC time, included.")
]
IntentOption = Annotated[
    str | None,
    typer.Option(
        "--intent", metavar="REF", help="An order's story: its intent, states, fills, stop and positions."
    ),
]
TextOption = Annotated[
    str | None, typer.Option("--text", metavar="TEXT", help="Text in a record's key or body.")
]


@app.command()
@command
def verify(
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            "--checkpoints", metavar="FILE", help="A copy of the checkpoints kept elsewhere, to hold it to."
        ),
    ] = None,
    config: ConfigOption = None,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Verify every record and checkpoint; end with exit code 1, and name the place, where something does not hold."""
    directory, session = find_trail_alone(state)
    if checkpoints is not None and not checkpoints.is_file():
        raise UsageError(
            f"--checkpoints: found {checkpoints}, no such file; allowed: a copy of checkpoints.jsonl"
        )
    trail, key = directory.audit, verifier(config)
    known_end = None if session is None else session.trail_end
    begun = time.monotonic()
    try:
        found = verify_trail(trail, key, checkpoint_copy=checkpoints, known_end=known_end)
    except OSError as error:
        raise unreadable(trail, error) from error
    rate = found.records / max(time.monotonic() - begun, 1e-9)
    findings = [] if found.finding is None else [found.finding]
    if session is None:
        findings.append(_session_missing(directory, found))
    if as_json:
        print_json(_verification_values(found, findings, trail, rate))
    else:
        _print_verification(found, findings, trail, rate)
    if findings:
        raise typer.Exit(AuditError.exit_code)


@app.command()
@command
def query(
    kind: KindOption = None,
    symbol: SymbolOption = None,
    strategy: StrategyOption = None,
    start: FromOption = None,
    end: ToOption = None,
    intent: IntentOption = None,
    text: TextOption = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, metavar="N", help="The newest N records (0: all).")
    ] = SHOWN,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Show records, oldest first; without options the newest fifty."""
    stores = find_trail(state)
    # One more than is shown tells whether there are more.
    most = limit + 1 if limit else 0
    asked = build_query(kind or (), symbol, strategy, start, end, intent, text, most)
    with opened_index(stores) as index:
        records = list(run_query(index, asked))
    more = 0 < limit < len(records)
    records = sorted(records[:limit] if limit else records, key=lambda record: record.seq)
    if as_json:
        print_json(
            {"shown": len(records), "more": more, "records": [record_values(each) for each in records]}
        )
    else:
        print_records(OUT, records, more=more)


@app.command()
@command
def export(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="File to write (default: the output).")
    ] = None,
    form: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="Form (default: by the name of --out, else jsonl)."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file --out where it exists.")] = False,
    kind: KindOption = None,
    symbol: SymbolOption = None,
    strategy: StrategyOption = None,
    start: FromOption = None,
    end: ToOption = None,
    intent: IntentOption = None,
    text: TextOption = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, metavar="N", help="The newest N records (0: all).")
    ] = 0,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Write records as CSV or JSON Lines, all of them unless options choose; with --limit the newest come first."""
    if as_json and out is None:
        raise UsageError(
            "--json: the records themselves go to the output; name a file for them with --out FILE"
        )
    asked = build_query(kind or (), symbol, strategy, start, end, intent, text, limit)
    chosen = form or (
        ExportFormat.CSV if out is not None and out.suffix.lower() == ".csv" else ExportFormat.JSONL
    )
    written = _export(find_trail(state), asked, out, chosen, force=force)
    if as_json:
        print_json({"records": written, "file": str(out), "format": chosen.value})
    elif out is not None:
        say(OUT, f"{count(written, 'record')} written to {out} as {chosen.value}.")


def _export(stores: Stores, asked: AuditQuery, out: Path | None, form: ExportFormat, *, force: bool) -> int:
    """Write the records to `out`, or to the output, and return how many."""
    if out is not None:
        refuse_overwriting(out, stores.directory.path, force=force)
    with opened_index(stores) as index:
        records = run_query(index, asked)
        if out is not None:
            with replacing_text(out) as target:
                return export_records(records, target, form)
        written = export_records(records, sys.stdout, form)
        sys.stdout.flush()
        return written


def _session_missing(directory: StateDirectory, found: Verification) -> Finding:
    return Finding(
        kind=Tampering.SESSION_MISSING,
        file=str(directory.path / SESSION),
        line=0,
        seq=found.records,
        expected="the session's file, which tells with which record the trail ended in order last",
        found="no such file: it was taken away, and nothing but the checkpoints tells where the trail should end",
    )


def _verification_values(
    found: Verification, findings: Sequence[Finding], trail: Path, rate: float
) -> Mapping[str, Any]:
    return {
        "holds": not findings,
        "trail": str(trail),
        "records": found.records,
        "files": found.files,
        "checkpoints": found.checkpoints,
        "signed_seq": found.signed_seq,
        "unsigned": found.unsigned,
        "head": found.head,
        "torn_bytes": found.torn_bytes,
        "records_per_s": round(rate, 1),
        "findings": [asdict(finding) for finding in findings],
    }


def _print_verification(found: Verification, findings: Sequence[Finding], trail: Path, rate: float) -> None:
    verdict = Text("DOES NOT HOLD", style="bold red") if findings else Text("holds", style="bold green")
    pairs: list[tuple[str, str | Text]] = [("Audit trail", verdict), ("In", str(trail))]
    for finding in findings:
        line = f", line {finding.line:,}" if finding.line else ""
        pairs += [
            ("Found", Text(finding.kind.value.replace("_", " "), style="red")),
            ("At", f"{finding.file}{line}, record {finding.seq:,}"),
            ("Expected", finding.expected),
            ("Is", finding.found),
        ]
    upto = "" if found.holds else " before it"
    pairs += [
        ("Records", f"{found.records:,}{upto}, {rate:,.0f} records/s"),
        ("Files", f"{found.files:,}"),
        ("Checkpoints", f"{found.checkpoints:,}, the last at record {found.signed_seq:,}"),
        ("Head", found.head),
    ]
    if found.holds and found.unsigned:
        pairs.append(("Unsigned", _unsigned_in_words(found.unsigned)))
    if found.torn_bytes:
        pairs.append(("Torn", f"{found.torn_bytes:,} bytes of a last line {_why_torn(found)}"))
    print_pairs(OUT, pairs)


def _why_torn(found: Verification) -> str:
    """Say what became of the last line: a crash cuts only what nobody had signed for."""
    if found.finding is None:
        return "that a crash cut; it was never acknowledged"
    missing = found.finding.kind in (Tampering.TRUNCATED, Tampering.ROLLED_BACK)
    return "that was cut in its midst; it is part of what is missing" if missing else "that is not whole"


def _unsigned_in_words(records: int) -> str:
    """Say what it means that the last records are not signed."""
    they = "the last record: it" if records == 1 else f"the last {records:,} records: they"
    return (
        f"{they} could be changed unnoticed until the engine signs further, within a second while it runs or at its "
        f"next start"
    )
