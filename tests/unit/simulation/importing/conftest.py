"""Write small files of bars and name the instruments of their symbols."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest

from domain.instruments import AssetKind, Instrument
from domain.symbols import parse_symbol
from simulation.importing.importer import Imported, import_bars

Lines = Callable[..., Path]
Take = Callable[..., Imported]


def instrument(symbol: str) -> Instrument:
    """Return an equity at XNYS, or for pairs and perpetuals a round-the-clock instrument."""
    parts = parse_symbol(symbol)
    crypto = parts.is_pair or parts.perpetual
    return Instrument(
        symbol=symbol,
        kind=AssetKind.SPOT if crypto else AssetKind.EQUITY,
        currency="USD",
        tick=0.01,
        lots_per_unit=1,
        multiplier=1.0,
        calendar="24/7" if crypto else "XNYS",
        sector="none",
        settlement_sessions=0 if crypto else 1,
        shortable=True,
    )


def weekdays(first: date, count: int) -> list[date]:
    """Return `count` days from `first` on that are neither Saturday nor Sunday."""
    days = (first + timedelta(days=i) for i in range(2 * count + 7))
    return [day for day in days if day.weekday() < 5][:count]


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    """Return a function that writes lines to a file of the test's folder."""

    def write(name: str, *text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def take() -> Take:
    """Return `import_bars` with defaults for all that a test leaves out."""

    def run(
        path: Path,
        symbols: Sequence[str] | None = None,
        start: date | None = None,
        end: date | None = None,
        kept_aside: Path | None = None,
    ) -> Imported:
        return import_bars(
            path, symbols=symbols, start=start, end=end, instruments=instrument, kept_aside=kept_aside
        )

    return run
