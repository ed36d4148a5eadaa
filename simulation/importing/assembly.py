"""Make a bar table and its report of the rows of files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from domain.bars import BarTable
from domain.errors import DataError
from simulation.importing.choice import Calendars
from simulation.importing.corporate import Actions
from simulation.importing.coverage import cover
from simulation.importing.layouts import Adjustment
from simulation.importing.quality import RowRule, conflicts, write_kept_aside
from simulation.importing.reading import RawFile
from simulation.importing.refusals import first_refusal
from simulation.importing.report import ImportReport
from simulation.importing.sessions import ROUND_THE_CLOCK
from simulation.importing.sifting import Judged, Sifted, sift
from simulation.importing.stamps import describe_ns
from storage.bar_tables import build_table

_LISTED_CONFLICTS = 20


def assemble(
    path: Path,
    files: Sequence[RawFile],
    symbols: Sequence[str] | None,
    end: date | None,
    calendars: Calendars,
    kept_aside: Path | None,
) -> tuple[BarTable, ImportReport]:
    """Return the bars of `symbols` in `files` up to the session `end`, and the report; write the refused rows.

    Splits and adjusted closes after `end` count, so that a bar has the same prices whatever the range asked for.
    Raises DataError as `importer.import_bars` does.
    """
    sifted = sift(path, files, symbols, end, calendars)
    if kept_aside is not None:
        write_kept_aside(kept_aside, files, sifted.rows, sifted.codes)
    refused, judged = sifted.refused(), sifted.judged
    if judged is None or not np.any(judged.accepted()):
        raise DataError(_nothing_left(path, sifted, end))
    table = build_table(sifted.names, judged.bar_ns, sifted.calendar == ROUND_THE_CLOCK, judged.columns())
    absent = tuple(name for name in sifted.chosen if name not in table.symbols)
    if absent and symbols is not None:
        until, later = (f" up to {end}", ", or choose a later --to") if end else ("", "")
        raise DataError(
            f"{path}: no usable bar of {', '.join(absent)}{until}; rows refused: {_words(refused)}; "
            f"name the symbols to take with --symbols, without these{later}"
        )
    return table, ImportReport(
        source=str(path),
        kept_aside=None if kept_aside is None else str(kept_aside),
        symbols_absent=absent,
        rows_accepted=table.rows,
        refused=refused,
        **_facts_of_rows(sifted, judged),
        **_facts_of_files(files, judged.actions),
        **_facts_of_table(table, sifted.calendar),
    )


def _facts_of_rows(sifted: Sifted, judged: Judged) -> dict[str, Any]:
    lines = np.concatenate([file.rows for file in sifted.files])
    return {
        "rows_read": len(sifted.rows) + sifted.ragged,
        "rows_of_other_symbols": int((~sifted.mine).sum()),
        "rows_after_end": int(judged.after_end.sum()),
        "conflicts": conflicts(sifted.rows, sifted.codes, sifted.names, lines, _LISTED_CONFLICTS),
        "notes": (*sifted.notes, *judged.notes, *_bid_notes(sifted.files)),
    }


def _facts_of_files(files: Sequence[RawFile], actions: Actions) -> dict[str, Any]:
    return {
        "files": len(files),
        "layout": files[0].layout.name,
        "adjustment": _adjustment_words(files[0], actions),
        "columns_ignored": tuple(dict.fromkeys(name for file in files for name in file.layout.ignored)),
        "splits": actions.splits,
        "distributions": actions.distributions,
    }


def _facts_of_table(table: BarTable, calendar: str) -> dict[str, Any]:
    return {
        "calendar": calendar,
        "bar_ns": table.bar_ns,
        "bar_size": describe_ns(table.bar_ns),
        "symbols": cover(table, calendar),
        "dividends_paid": int((table.dividend > 0.0).sum()),
        "fingerprint": table.fingerprint,
    }


def _words(refused: dict[str, int]) -> str:
    return ", ".join(f"{rule} {count}" for rule, count in sorted(refused.items())) or "none"


def _nothing_left(path: Path, sifted: Sifted, end: date | None) -> str:
    refused, judged = sifted.refused(), sifted.judged
    text = f"{path}: no bar can be used; rows refused: {_words(refused)}"
    if judged is not None and judged.after_end.any():
        text += f"; rows after {end}: {int(judged.after_end.sum())}"
    if first := first_refusal(tuple(sifted.files), sifted.rows, sifted.codes):
        text += f"; {first}"
    if RowRule.OUTSIDE_SESSION.value in refused:
        text += ". Stamps without a zone are read as UTC opens of bars"
    return text


def _adjustment_words(file: RawFile, actions: Actions) -> str:
    adjustment = file.layout.adjustment
    cash = "dividends kept as cash per share on the ex date" if file.layout.dividend else "no dividends known"
    if adjustment is Adjustment.ADJUSTED_CLOSE:
        return (
            "open, high, low and close scaled by adjusted close / close: total return, no dividend cash; "
            "volume scaled inversely"
        )
    if adjustment is Adjustment.AS_GIVEN:
        return f"none: prices as given; {cash}"
    if actions.already_applied:
        return f"none: the prices already hold the splits that the file lists; {cash}"
    return f"prices divided by all later splits and volume multiplied by them; {cash}, scaled alike"


def _bid_notes(files: Sequence[RawFile]) -> tuple[str, ...]:
    ignored = {name for file in files for name in file.layout.ignored}
    return ("a quote file: open to close are the bid, the ask is not read",) if "ask_open" in ignored else ()
