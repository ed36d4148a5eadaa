"""Write figures as short as a narrow column needs them."""

from __future__ import annotations

import math

from cli.display.styles import NOTHING

MIB = 2**20
GIB = 2**30


def money(amount: float | None) -> str:
    """Return an amount with cents, without them from ten millions on."""
    if amount is None or not math.isfinite(amount):
        return NOTHING
    return f"{amount:,.2f}" if abs(amount) < 1e7 else f"{amount:,.0f}"


def percent(fraction: float | None) -> str:
    """Return a fraction as a percentage with one decimal; what is beyond all bounds as such."""
    if fraction is None or math.isnan(fraction):
        return NOTHING
    return f"{fraction:.1%}" if abs(fraction) < 100.0 else "> 9999%"


def price(value: float | None) -> str:
    """Return a price with the decimals that prices of its size have."""
    if value is None or value == 0.0 or not math.isfinite(value):
        return NOTHING
    size = abs(value)
    return f"{value:,.{2 if size >= 10.0 else 4 if size >= 0.1 else 6}f}"


def size(count: int | None) -> str:
    """Return bytes as MiB or GiB."""
    if count is None:
        return NOTHING
    return f"{count / MIB:,.0f} MiB" if count < GIB else f"{count / GIB:.2f} GiB"


def whole(number: int | None) -> str:
    """Return a whole number with separators."""
    return NOTHING if number is None else f"{number:,}"


def lots(number: int) -> str:
    """Return signed lots; from ten millions on in thousands, millions or more."""
    if abs(number) < 10_000_000:
        return f"{number:,}".replace("-", "−")
    scaled = float(number)
    for unit in ("k", "M", "G", "T"):
        scaled /= 1000.0
        if abs(scaled) < 10_000.0:
            return f"{scaled:,.0f}{unit}".replace("-", "−")
    return f"{scaled:,.0f}T".replace("-", "−")
