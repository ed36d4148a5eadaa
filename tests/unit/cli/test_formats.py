from __future__ import annotations

from decimal import Decimal

import pytest

from cli.formats import count, exact, iso_utc, money, price, quantity, signed_money, utc
from domain.instruments import AssetKind, Instrument


def instrument(lots_per_unit: int) -> Instrument:
    return Instrument(
        symbol="X",
        kind=AssetKind.SPOT,
        currency="USD",
        tick=0.01,
        lots_per_unit=lots_per_unit,
        multiplier=1.0,
        calendar="24/7",
        sector="other",
        settlement_sessions=0,
        shortable=False,
    )


@pytest.mark.parametrize(
    ("at_ns", "iso", "shown"),
    [
        (0, None, "–"),
        (1_362_171_600_000_000_000, "2013-03-01T21:00:00Z", "2013-03-01 21:00"),
        (1_362_171_601_000_000_001, "2013-03-01T21:00:01.000000001Z", "2013-03-01 21:00:01"),
        (-1_000_000_000, "1969-12-31T23:59:59Z", "1969-12-31 23:59:59"),
    ],
)
def test_times_are_utc(at_ns: int, iso: str | None, shown: str) -> None:
    assert (iso_utc(at_ns), utc(at_ns)) == (iso, shown)


@pytest.mark.parametrize(
    ("value", "tick", "shown"),
    [
        (174.77018640578, 0.01, "174.77"),
        (0.12345, 0.0001, "0.1235"),
        (1_234_567.891, 0.01, "1,234,567.89"),
        (9_123.456789, 1e-8, "9,123.45679"),
        (0.00001234, 1e-8, "0.00001234"),
        (100.0, 1.0, "100.00"),
        (-38.125, 0.001, "-38.125"),
        (0.0, 0.01, "–"),
    ],
)
def test_prices_have_the_decimals_of_their_tick(value: float, tick: float, shown: str) -> None:
    assert price(value, tick) == shown


@pytest.mark.parametrize(
    ("lots", "per_unit", "shown"),
    [
        (17, 1, "17"),
        (-12_500, 1, "-12,500"),
        (250_000_000, 10**8, "2.5"),
        (1, 10**8, "0.00000001"),
        (0, 10, "0"),
    ],
)
def test_quantities_are_exact_units(lots: int, per_unit: int, shown: str) -> None:
    assert quantity(lots, instrument(per_unit)) == shown
    assert exact(instrument(per_unit).quantity(lots)) == shown.replace(",", "")


def test_exact_has_no_exponent_and_keeps_whole_zeros() -> None:
    assert [exact(Decimal(text)) for text in ("1E-8", "100", "1E+3", "2.50")] == [
        "0.00000001",
        "100",
        "1000",
        "2.5",
    ]


def test_money_has_two_decimals_and_counts_their_noun() -> None:
    assert (money(-1_234_567_890), signed_money(5.0), signed_money(-0.006)) == ("-1,234.57", "+5.00", "-0.01")
    assert [count(n, "row") for n in (0, 1, 2_000)] == ["0 rows", "1 row", "2,000 rows"]
    assert count(2, "strategy", "strategies") == "2 strategies"
