from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from cli.data_text import print_report
from simulation.importing.report import Distribution, ImportReport, SplitApplied, SymbolReport

REPORT = ImportReport(
    source="bars.csv",
    files=2,
    layout="raw with split and dividend",
    adjustment="prices divided by all later splits",
    calendar="XNYS",
    bar_ns=86_400 * 10**9,
    bar_size="1 day",
    columns_ignored=("vwap", "ask_open"),
    rows_read=1_010,
    rows_of_other_symbols=5,
    rows_after_end=2,
    rows_accepted=1_000,
    refused={"crossed": 1, "not_finite": 2},
    kept_aside="out.refused.csv",
    symbols=(
        SymbolReport(
            symbol="AAA", rows=1_000, first="2000-01-03", last="2003-12-31", gaps=3, missing_bars=7, missing_sessions=4,
            has_volume=False,
        ),
    ),
    symbols_absent=("BBB",),
    splits=(SplitApplied(symbol="AAA", date="2001-05-04", stated=1.499999, applied="3/2", factor=1.5),),
    dividends_paid=12,
    distributions=(
        Distribution(symbol="AAA", date="2002-07-01", cash=4.5, share_of_close=0.1234, paid=True, reason="large: paid"),
        Distribution(symbol="AAA", date="2001-05-04", cash=50.0, share_of_close=0.5, paid=False, reason="split again"),
    ),
    conflicts=("AAA 2000-02-01: row 7 contradicts an earlier row",),
    notes=("the file is written newest first",),
    fingerprint="f" * 64,
)  # fmt: skip


def told(report: ImportReport, out: Path | None = None) -> list[list[str]]:
    target = io.StringIO()
    print_report(Console(file=target, width=80), report, out)
    return [line.split() for line in target.getvalue().splitlines()]


def test_everything_the_report_holds_is_told() -> None:
    lines = told(REPORT, Path("out.parquet"))
    text = "\n".join(" ".join(line) for line in lines)
    for part in (
        "Source bars.csv, 2 files",
        "Layout raw with split and dividend, bars of 1 day, calendar XNYS",
        "Rows 1,010 read, 1,000 accepted, 3 refused, 5 of other symbols, 2 after the last day",
        "Dividends 12 paid as cash",
        "Not read vwap, ask_open",
        "No usable bar BBB",
        "Kept aside 3 refused rows in out.refused.csv",
        "Written 1,000 bars to out.parquet",
        "AAA 1,000 2000-01-03 2003-12-31 3 7 4 none",
        "not finite 2\ncrossed 1",
        "AAA 2001-05-04 1.5 3/2",
        "AAA 2002-07-01 4.5000 12.3% yes large: paid",
        "AAA 2001-05-04 50.0000 50.0% no split again",
        "conflict: AAA 2000-02-01: row 7 contradicts an earlier row",
        "note: the file is written newest first",
    ):
        assert part in text


def test_what_did_not_happen_is_not_told() -> None:
    clean = replace(
        REPORT,
        refused={},
        symbols_absent=(),
        splits=(),
        distributions=(),
        conflicts=(),
        notes=(),
        columns_ignored=(),
    )
    text = "\n".join(" ".join(line) for line in told(clean))
    for word in ("refused", "Kept aside", "Split", "Distribution", "conflict", "note", "Not read", "Written"):
        assert word not in text
