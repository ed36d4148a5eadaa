"""Write times, money, prices and quantities: for people with units and separators, for programs as ISO times."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal

from domain.instruments import MICRO, Instrument

NOTHING = "–"
"""Stands where there is no figure."""

_SECOND_NS = 1_000_000_000
_SHOWN_DIGITS = 9
"""Significant digits of a price that people are shown; programs get all."""


def iso_utc(at_ns: int) -> str | None:
    """Return `at_ns` (UTC ns) as ISO 8601, with nanoseconds where there are any; None for 0, which is no time."""
    if at_ns == 0:
        return None
    seconds, rest = divmod(at_ns, _SECOND_NS)
    stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{rest:09d}Z" if rest else f"{stamp}Z"


def utc(at_ns: int) -> str:
    """Return `at_ns` as people read it, to the minute, with seconds where there are any."""
    if at_ns == 0:
        return NOTHING
    moment = datetime.fromtimestamp(at_ns // _SECOND_NS, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M")


def money(micro: int) -> str:
    """Return micro-units as an amount with two decimals."""
    return f"{micro / MICRO:,.2f}"


def signed_money(amount: float) -> str:
    """Return an amount in currency units with its sign and two decimals."""
    return f"{amount:+,.2f}"


def price(value: float, tick: float) -> str:
    """Return `value` with the decimals of `tick`, at least two and at most nine digits in all; nothing for 0."""
    if value == 0.0:
        return NOTHING
    decimals = max(2, math.ceil(-math.log10(tick) - 1e-9))
    whole_digits = max(1, math.floor(math.log10(abs(value))) + 1) if abs(value) >= 1.0 else 1
    return f"{value:,.{max(2, min(decimals, _SHOWN_DIGITS - whole_digits))}f}"


def quantity(lots: int, instrument: Instrument) -> str:
    """Return `lots` in units (shares, coins, contracts), exact, without idle zeros."""
    units = instrument.quantity(lots)
    text = f"{units:,f}"
    return (
        text.rstrip("0").rstrip(".")
        if units != units.to_integral_value()
        else f"{units.to_integral_value():,f}"
    )


def exact(value: Decimal) -> str:
    """Return a decimal number as programs take it, exact, without an exponent or idle zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: `1 order`, `1,928 orders`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
