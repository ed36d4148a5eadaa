"""Count what is absent from accepted bars, symbol by symbol."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from domain.bars import BarTable, Ints
from simulation.importing.report import SymbolReport
from simulation.importing.sessions import Sessions, sessions_covering
from simulation.importing.stamps import DAY_NS


def cover(table: BarTable, calendar: str) -> tuple[SymbolReport, ...]:
    """Return for each symbol of `table` its first and last session, rows, gaps and absences by `calendar`."""
    sessions = None if table.continuous else sessions_covering(calendar, table.open_ns)
    order = np.argsort(table.symbol_id, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(table.symbol_id[order])) + 1)
    return tuple(_cover_symbol(table, rows, sessions) for rows in parts)


def _cover_symbol(table: BarTable, rows: Ints, sessions: Sessions | None) -> SymbolReport:
    session = table.session[rows]
    # A session's number counts the market's sessions, so that neighbours differ by one over week-ends too.
    number = session.astype(np.int64) if sessions is None else np.searchsorted(sessions.ordinal, session)
    apart = np.diff(number)
    absent = np.zeros(len(apart), dtype=np.int64)
    if table.bar_ns < DAY_NS:
        absent = _absent_bars(table, rows, apart)
    return SymbolReport(
        symbol=table.symbols[int(table.symbol_id[rows[0]])],
        rows=len(rows),
        first=date.fromordinal(int(session[0])).isoformat(),
        last=date.fromordinal(int(session[-1])).isoformat(),
        gaps=int(((apart > 1) | (absent > 0)).sum()),
        missing_bars=int(absent.sum()),
        missing_sessions=int(np.maximum(apart - 1, 0).sum()),
        has_volume=bool(np.isfinite(table.volume[rows]).any()),
    )


def _absent_bars(table: BarTable, rows: Ints, apart: NDArray[np.int64]) -> Ints:
    """Return the bars absent between neighbours: within a session, round the clock also over one midnight."""
    steps = np.diff(table.open_ns[rows]) // table.bar_ns - 1
    reach = 1 if table.continuous else 0
    return np.where(apart <= reach, steps, 0)
