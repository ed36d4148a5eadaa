"""The synthetic market is seeded, keeps its calendar, and shows what its model says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bars import BarTable, Floats, bar_fault
from simulation.importing.importer import describe
from simulation.synthetic import REGIMES, MarketSpec, regime_path, synthesise
from storage.catalogue import read_bars, write_bars

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE
SPEC = MarketSpec(seed=11, symbols=("AAA", "BBB", "CCC"), first=date(2010, 1, 4), sessions=500)


def of(table: BarTable, symbol: str, column: str = "close") -> Floats:
    values: Floats = getattr(table, column)[table.symbol_id == table.symbols.index(symbol)]
    return values


def test_a_seed_gives_the_same_bars_and_another_seed_others() -> None:
    assert synthesise(SPEC).fingerprint == synthesise(SPEC).fingerprint
    assert synthesise(SPEC).fingerprint != synthesise(replace(SPEC, seed=12)).fingerprint


def test_a_symbol_does_not_depend_on_the_others() -> None:
    alone, together = synthesise(replace(SPEC, symbols=("BBB",))), synthesise(SPEC)
    assert of(alone, "BBB").tolist() == of(together, "BBB").tolist()


@given(
    st.builds(
        MarketSpec,
        seed=st.integers(0, 2**64 - 1),
        symbols=st.sampled_from([("A",), ("A", "B"), ("B", "A", "C")]),
        first=st.dates(date(1999, 1, 1), date(2020, 1, 1)),
        sessions=st.integers(1, 40),
        bar_ns=st.sampled_from([24 * HOUR, HOUR, 30 * MINUTE, 5 * MINUTE]),
        calendar=st.sampled_from(["XNYS", "24/7"]),
        correlation=st.floats(0, 0.99),
        overnight_share=st.floats(0, 0.99),
        missing_share=st.floats(0, 0.5),
        jumps_per_year=st.floats(0, 500),
        jump_volatility=st.floats(0, 0.3),
    )
)
@settings(max_examples=40)
def test_every_bar_is_sound_whatever_the_market(spec: MarketSpec) -> None:
    table = synthesise(replace(spec, missing_share=spec.missing_share if spec.sessions > 20 else 0.0))
    assert all(bar_fault(bar) is None for group in table.groups() for bar in group.bars)
    assert (table.known_ns > table.open_ns).all()
    assert (np.diff(table.known_ns[table.starts[:-1]]) > 0).all()


@pytest.mark.parametrize(
    ("bar_ns", "calendar", "rows"),
    [
        (24 * HOUR, "XNYS", 5),
        (MINUTE, "XNYS", 4 * 390 + 210),  # the Friday after Thanksgiving ends at 13:00
        (30 * MINUTE, "XNYS", 4 * 13 + 7),
        (24 * HOUR, "24/7", 5),
        (HOUR, "24/7", 120),
    ],
)
def test_bars_fill_the_hours_of_the_calendar(bar_ns: int, calendar: str, rows: int) -> None:
    first = date(2023, 11, 20)
    spec = MarketSpec(seed=1, symbols=("A",), first=first, sessions=5, bar_ns=bar_ns, calendar=calendar)
    table = synthesise(spec)
    assert table.rows == rows
    assert date.fromordinal(int(table.session[0])) == first


def test_missing_bars_are_left_out_at_their_share() -> None:
    table = synthesise(replace(SPEC, sessions=2_000, missing_share=0.1))
    assert table.rows / 6_000 == pytest.approx(0.9, abs=0.02)
    assert len({int(n) for n in np.diff(table.starts)}) > 1


def test_returns_are_correlated_as_asked() -> None:
    spec = replace(SPEC, sessions=5_000, correlation=0.6, jumps_per_year=0.0, first=date(1995, 1, 3))
    table = synthesise(spec)
    returns = [np.diff(np.log(of(table, name))) for name in SPEC.symbols]
    assert np.corrcoef(returns)[0, 1] == pytest.approx(0.6, abs=0.05)


def test_regimes_last_and_volatility_differs_between_them() -> None:
    path = regime_path(5, 20_000)
    shares = {
        name: count / 20_000 for name, count in ((REGIMES[i], c) for i, c in Counter(path.tolist()).items())
    }
    assert set(shares) == set(REGIMES)
    assert shares["calm"] > 0.3
    assert shares["crash"] < 0.08
    assert (np.diff(path) != 0).mean() < 0.05
    spec = replace(SPEC, seed=5, sessions=4_000, symbols=("A",), jumps_per_year=0.0, first=date(1995, 1, 3))
    returns = np.diff(np.log(of(synthesise(spec), "A")))
    regimes = regime_path(5, 4_000)[1:]
    calm, crash = (returns[regimes == REGIMES.index(name)].std() for name in ("calm", "crash"))
    assert crash > 4 * calm


def test_markets_that_close_gap_and_others_do_not() -> None:
    def gaps(**changes: Any) -> Floats:
        table = synthesise(replace(SPEC, symbols=("A",), **changes))
        return np.abs(np.log(of(table, "A", "open")[1:] / of(table, "A")[:-1]))

    assert gaps().mean() > 1e-3
    assert gaps(calendar="24/7").max() < 2e-3  # no more than the rounding to ticks


def test_jumps_fatten_the_tails() -> None:
    def kurtosis(jumps: float) -> float:
        table = synthesise(
            replace(SPEC, symbols=("A",), sessions=2_000, jumps_per_year=jumps, jump_volatility=0.15)
        )
        returns = np.diff(np.log(of(table, "A")))
        centred = returns - returns.mean()
        return float((centred**4).mean() / (centred**2).mean() ** 2)

    assert kurtosis(6.0) > 2 * kurtosis(0.0)


def test_prices_lie_on_the_tick() -> None:
    close = of(synthesise(SPEC), "AAA")
    assert [float(f"{price:.2f}") for price in close.tolist()] == close.tolist()


def test_a_synthetic_market_is_stored_and_described_like_any_other(tmp_path: Any) -> None:
    table = synthesise(SPEC)
    write_bars(tmp_path / "market.parquet", table, {"adjustment": "none: synthetic"})
    assert read_bars(tmp_path / "market.parquet").fingerprint == table.fingerprint
    assert describe(tmp_path / "market.parquet").rows_accepted == 1_500


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"symbols": ()}, "symbols"),
        ({"symbols": ("A", "A")}, "symbols"),
        ({"sessions": 0}, "sessions"),
        ({"bar_ns": 7 * MINUTE}, "bar_ns"),
        ({"bar_ns": 0}, "bar_ns"),
        ({"correlation": 1.0}, "correlation"),
        ({"missing_share": -0.1}, "missing_share"),
        ({"overnight_share": float("nan")}, "overnight_share"),
        ({"tick": 0.0}, "tick"),
        ({"jumps_per_year": -1.0}, "jumps_per_year"),
    ],
)
def test_a_market_that_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(SPEC, **changes)
