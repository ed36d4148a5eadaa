"""Lay the report of an import out for people."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from cli.formats import count
from cli.tables import Column, Row, print_pairs, print_table, say
from simulation.importing.report import Distribution, ImportReport, SymbolReport

_SYMBOLS = (
    Column("Symbol"),
    Column("Bars", right=True),
    Column("First"),
    Column("Last"),
    Column("Gaps", right=True),
    Column("Missing bars", right=True, spare=2),
    Column("Missing sessions", right=True),
    Column("Volume", spare=1),
)
_REFUSED = (Column("Refused by rule"), Column("Rows", right=True))
_SPLITS = (Column("Split of"), Column("On"), Column("Stated", right=True), Column("Applied", right=True))
_DISTRIBUTIONS = (
    Column("Distribution of"),
    Column("On"),
    Column("Cash", right=True),
    Column("Of close", right=True),
    Column("Paid"),
    Column("Why", wraps=24),
)


def print_report(console: Console, report: ImportReport, out: Path | None) -> None:
    """Print what was read, refused, adjusted and left open; `out` is the file written, if any."""
    print_pairs(console, _facts(report, out))
    _titled(console, _SYMBOLS, [_symbol_row(each) for each in report.symbols])
    if report.rows_refused:
        refused = sorted(report.refused.items(), key=lambda item: (-item[1], item[0]))
        _titled(console, _REFUSED, [(rule.replace("_", " "), f"{rows:,}") for rule, rows in refused])
    if report.splits:
        rows = [(s.symbol, s.date, f"{s.stated:g}", s.applied) for s in report.splits]
        _titled(console, _SPLITS, rows)
    if report.distributions:
        _titled(console, _DISTRIBUTIONS, [_distribution_row(each) for each in report.distributions])
    for conflict in report.conflicts:
        say(console, Text(f"conflict: {conflict}", style="yellow"))
    for note in report.notes:
        say(console, Text(f"note: {note}", style="dim"))


def _titled(console: Console, columns: tuple[Column, ...], rows: Iterable[Row]) -> None:
    say(console, "")
    print_table(console, columns, rows)


def _facts(report: ImportReport, out: Path | None) -> list[tuple[str, str | Text]]:
    rows = f"{report.rows_read:,} read, {report.rows_accepted:,} accepted"
    for number, what in (
        (report.rows_refused, "refused"),
        (report.rows_of_other_symbols, "of other symbols"),
        (report.rows_after_end, "after the last day"),
    ):
        rows += f", {number:,} {what}" if number else ""
    facts: list[tuple[str, str | Text]] = [
        ("Source", f"{report.source}, {count(report.files, 'file')}"),
        ("Layout", f"{report.layout}, bars of {report.bar_size}, calendar {report.calendar}"),
        ("Rows", Text(rows, style="yellow" if report.rows_refused else "")),
        ("Prices", report.adjustment),
        ("Dividends", f"{report.dividends_paid:,} paid as cash"),
        ("Fingerprint", report.fingerprint),
    ]
    if report.columns_ignored:
        facts.append(("Not read", ", ".join(report.columns_ignored)))
    if report.symbols_absent:
        facts.append(("No usable bar", Text(", ".join(report.symbols_absent), style="yellow")))
    if report.kept_aside and report.rows_refused:
        facts.append(("Kept aside", f"{count(report.rows_refused, 'refused row')} in {report.kept_aside}"))
    if out is not None:
        facts.append(("Written", f"{count(report.rows_accepted, 'bar')} to {out}"))
    return facts


def _symbol_row(symbol: SymbolReport) -> Row:
    return (
        symbol.symbol,
        f"{symbol.rows:,}",
        symbol.first,
        symbol.last,
        f"{symbol.gaps:,}",
        f"{symbol.missing_bars:,}",
        f"{symbol.missing_sessions:,}",
        "yes" if symbol.has_volume else Text("none", style="yellow"),
    )


def _distribution_row(each: Distribution) -> Row:
    paid = Text("yes", style="green") if each.paid else Text("no", style="yellow")
    return (each.symbol, each.date, f"{each.cash:,.4f}", f"{each.share_of_close:.1%}", paid, each.reason)
