from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import equity, fills, instruments
from domain.risk import bounds, heat, loss, measures, sizing
from simulation.compiled import cache_directory, compiled, source_hash
from tests.money import IB_FIXED, LIMITS

ROOT = Path(__file__).resolve().parents[3]

prices = st.floats(min_value=1e-4, max_value=1e6)
values = st.floats(min_value=-1e9, max_value=1e9)
fractions = st.floats(min_value=-0.1, max_value=1.5)
whole = st.integers(1, 10**9)
sides = st.sampled_from([1, -1])
limits = st.just(LIMITS)
fees = st.just(IB_FIXED)
ticks = st.sampled_from([0.01, 0.0001, 0.25, 0.05])
counts = st.integers(0, 20)
figures = st.builds(
    measures.OrderFigures,
    value_usd=values,
    reduces=st.booleans(),
    mark_age_bars=st.integers(-1, 5),
    price_deviation=fractions,
    lots=counts,
    max_lots=counts,
    equity=values,
    position_after_usd=values,
    symbol_after_usd=values,
    gross_after_usd=values,
    net_after_usd=values,
    sector_after_usd=values,
    heat_after=fractions,
    book_after_usd=values,
    book_capital_usd=values,
    buying_power_usd=values,
    positions_after=counts,
    open_orders=counts,
    daily_loss=fractions,
    drawdown=fractions,
)

SHARED: list[tuple[Callable[..., Any], tuple[st.SearchStrategy[Any], ...]]] = [
    (fills.market_fill_price, (prices, sides, st.floats(0.0, 100.0))),
    (fills.stop_trigger, (sides, prices, prices, prices, prices)),
    (fills.limit_fill, (sides, prices, prices, prices, prices)),
    (fills.stop_price_for, (prices, sides, st.floats(0.01, 0.05), ticks, ticks)),
    (fills.commission_micro, (prices, whole, st.sampled_from([1, 10**8]), st.floats(1.0, 100.0), fees)),
    (instruments.notional_micro, (prices, st.integers(-(10**6), 10**6), st.just(1), st.just(1.0))),
    (instruments.lots_for, (st.floats(0.0, 1e6), prices, st.sampled_from([1, 1000]), st.just(1.0))),
    (equity.market_value, (prices, st.integers(-(10**9), 10**9), st.sampled_from([1, 10**8]), prices)),
    (sizing.position_size, (fractions, values, fractions, values, values, limits)),
    (sizing.free_capital, (fractions, values, values, values)),
    (sizing.symbol_room, (values, values, limits)),
    (heat.position_risk, (values, st.floats(0.01, 0.05), values)),
    (loss.daily_loss, (values, values)),
    (loss.drawdown, (values, values)),
    (loss.loss_binds, (fractions, fractions)),
    (loss.raised_peak, (values, values)),
    (bounds.exceeds, (values, values)),
    (bounds.falls_short, (values, values)),
    (measures.only_reduces, (st.integers(-5, 5), st.integers(-5, 5))),
    (measures.refusal, (figures, limits)),
]


def bits(result: Any) -> Any:
    """Return a result so that equality means the same bits: -0.0 is not 0.0."""
    if isinstance(result, tuple):
        return tuple(bits(part) for part in result)
    return struct.pack("<d", result) if isinstance(result, float) else result


@pytest.mark.parametrize(("function", "arguments"), SHARED, ids=[function.__name__ for function, _ in SHARED])
def test_compiled_and_interpreted_give_the_same_bits(
    function: Callable[..., Any], arguments: tuple[st.SearchStrategy[Any], ...]
) -> None:
    twin = compiled(function)

    @given(st.tuples(*arguments))
    @settings(deadline=None)
    def check(drawn: tuple[Any, ...]) -> None:
        assert bits(twin(*drawn)) == bits(function(*drawn))

    check()


def run(code: str, **environment: str) -> str:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_domain_loads_neither_numba_nor_pandas() -> None:
    code = (
        "import sys, domain.portfolio, domain.fills, domain.risk.checks, domain.risk.figures, domain.risk.sizing,"
        " domain.risk.assessment;"
        "print([name for name in ('numba', 'pandas', 'pydantic') if name in sys.modules])"
    )
    assert run(code) == "[]"


def test_machine_code_lies_under_a_directory_named_after_the_sources(tmp_path: Path) -> None:
    """A child process inherits the variable and does not nest a second directory."""
    code = (
        "from simulation.compiled import compiled; from domain.risk.loss import raised_peak;"
        "print(compiled(raised_peak)(1.0, 2.0)); import os, numba;"
        "print(os.environ['NUMBA_CACHE_DIR'], numba.config.CACHE_DIR)"
    )
    expected = tmp_path / f"kernel-{source_hash()}"
    value, directories = run(code, NUMBA_CACHE_DIR=str(tmp_path)).splitlines()
    assert value == "2.0"
    assert directories == f"{expected} {expected}"
    assert list(expected.rglob("*.nbi"))
    assert run(code, NUMBA_CACHE_DIR=str(expected)).splitlines()[1] == directories


def test_a_directory_that_cannot_be_made_is_replaced_by_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no directory can be made here")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = cache_directory()
    assert found.is_dir()
    assert found.parent == tmp_path


def test_the_hash_follows_every_edit_of_a_shared_source(tmp_path: Path) -> None:
    """A change in an imported function's file must not be served from machine code of the old one."""
    source = tmp_path / "domain" / "risk" / "loss.py"
    source.parent.mkdir(parents=True)
    source.write_text("LIMIT = 1\n")
    before = source_hash(tmp_path)
    source.write_text("LIMIT = 2\n")
    changed = source_hash(tmp_path)
    source.rename(source.with_name("gain.py"))
    assert len({before, changed, source_hash(tmp_path)}) == 3
    (tmp_path / "domain" / "notes.txt").write_text("not a source")
    assert source_hash(tmp_path) == source_hash(tmp_path)
