"""Measure exposure, gross, net, per symbol and per sector, from actual values in US dollars (requirement A4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class ValuedPosition(NamedTuple):
    """Be one position as the checks see it: signed value at its mark, and the fraction at which its stop lies."""

    book: str
    symbol: str
    sector: str
    value_usd: float
    stop_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """Hold an account's exposure in US dollars.

    `net` is signed; `by_symbol` is signed and adds up books (a long in one book and a short in another offset, as they
    do at the broker); `gross` adds the absolute values of `by_symbol`, `by_sector` the absolute ones of its symbols.
    """

    gross: float
    net: float
    by_symbol: Mapping[str, float]
    by_sector: Mapping[str, float]


def gross_usd(positions: Iterable[ValuedPosition]) -> float:
    """Return the gross exposure of `positions` that come sorted by symbol: `exposure_of(positions).gross`, faster."""
    gross, value, symbol = 0.0, 0.0, ""
    for position in positions:
        if position.symbol != symbol:
            gross, value, symbol = gross + abs(value), 0.0, position.symbol
        value = value + position.value_usd
    return gross + abs(value)


def exposure_of(positions: Iterable[ValuedPosition]) -> Exposure:
    """Return the exposure of `positions`, added in order of symbol, then book."""
    by_symbol: dict[str, float] = {}
    sectors: dict[str, str] = {}
    for position in sorted(positions, key=lambda held: (held.symbol, held.book)):
        by_symbol[position.symbol] = by_symbol.get(position.symbol, 0.0) + position.value_usd
        sectors[position.symbol] = position.sector
    gross, net = 0.0, 0.0
    by_sector: dict[str, float] = {}
    for symbol, value in by_symbol.items():
        gross = gross + abs(value)
        net = net + value
        sector = sectors[symbol]
        by_sector[sector] = by_sector.get(sector, 0.0) + abs(value)
    return Exposure(gross=gross, net=net, by_symbol=by_symbol, by_sector=by_sector)
