"""Value positions and the account: quantity x actual price, never an estimate (requirement A4)."""

from __future__ import annotations

from collections.abc import Iterable

from domain.instruments import MICRO


def market_value(price: float, lots: int, lots_per_unit: int, multiplier: float) -> float:
    """Return the value of signed `lots` at `price`, in the instrument's currency; negative for a short."""
    return price * lots / lots_per_unit * multiplier


def account_equity(cash_micro: int, values: Iterable[float]) -> float:
    """Return cash plus position values, added in the order given (symbols sorted, so that every run agrees)."""
    total = cash_micro / MICRO
    for value in values:
        total = total + value
    return total
