"""Keep the venue's account: positions in lots, cash in micro-units, and what it may still buy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from domain.broker import DividendPaid, Executed, Side, VenuePosition
from domain.instruments import Instrument, notional_micro


class Account:
    """Hold positions and cash; `marks` are the newest prices known, by symbol."""

    def __init__(self, instruments: Mapping[str, Instrument], cash_micro: int) -> None:
        """Start with a deposit and nothing else."""
        self._instruments = instruments
        self.cash_micro = cash_micro
        self.positions: dict[str, int] = {}
        self.marks: dict[str, float] = {}

    def replay(self, executions: Iterable[Executed], dividends: Iterable[DividendPaid]) -> None:
        """Book what the journal holds."""
        for execution in executions:
            self.book(execution)
        for dividend in dividends:
            self.cash_micro += dividend.amount_micro

    def lots(self, symbol: str) -> int:
        """Return the signed position."""
        return self.positions.get(symbol, 0)

    def value_micro(self, symbol: str, lots: int, price: float) -> int:
        """Return what `lots` are worth at `price`; the sign follows `lots`."""
        instrument = self._instruments[symbol]
        return notional_micro(price, lots, instrument.lots_per_unit, instrument.multiplier)

    def book(self, execution: Executed) -> None:
        """Move lots and cash for one execution; the cash of a trade is its value rounded once, plus commission."""
        sign = 1 if execution.side is Side.BUY else -1
        symbol = execution.symbol
        self.cash_micro -= sign * self.value_micro(symbol, execution.lots, execution.price)
        self.cash_micro -= execution.commission_micro
        lots = self.lots(symbol) + sign * execution.lots
        if lots:
            self.positions[symbol] = lots
        else:
            del self.positions[symbol]

    def held(self) -> tuple[VenuePosition, ...]:
        """Return the positions by symbol."""
        return tuple(VenuePosition(symbol, lots) for symbol, lots in sorted(self.positions.items()))

    def increase(self, symbol: str, signed_lots: int) -> int:
        """Return how many of `signed_lots` add to the size of the position instead of closing it."""
        held = self.lots(symbol)
        closes = min(abs(held), abs(signed_lots)) if held * signed_lots < 0 else 0
        return abs(signed_lots) - closes

    def equity_and_gross_micro(self) -> tuple[int, int]:
        """Return equity (cash and positions) and gross exposure at the marks."""
        equity, gross = self.cash_micro, 0
        for symbol, lots in self.positions.items():
            value = self.value_micro(symbol, lots, self.marks[symbol])
            equity += value
            gross += abs(value)
        return equity, gross

    def affords(self, execution: Executed, leverage: float) -> bool:
        """Return whether gross exposure stays within `leverage` x equity after `execution`; closing always may."""
        sign = 1 if execution.side is Side.BUY else -1
        if self.increase(execution.symbol, sign * execution.lots) == 0:
            return True
        equity, gross = self.equity_and_gross_micro()
        before, mark = self.lots(execution.symbol), self.marks[execution.symbol]
        after = before + sign * execution.lots
        worth_before = self.value_micro(execution.symbol, before, mark)
        worth_after = self.value_micro(execution.symbol, after, mark)
        paid = sign * self.value_micro(execution.symbol, execution.lots, execution.price)
        equity += worth_after - worth_before - paid - execution.commission_micro
        return gross - abs(worth_before) + abs(worth_after) <= int(leverage * equity)
