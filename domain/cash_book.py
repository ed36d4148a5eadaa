"""Count the account's cash from executions and dividends, as the gateway compares it with the venue's.

The rule is the portfolio's (`domain/ledger.py`), kept apart from its books: gateway and risk manager count by
themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from domain.broker import DividendPaid, Executed, Side
from domain.instruments import Instrument, notional_micro

NO_INSTRUMENTS: Mapping[str, Instrument] = {}
NO_CASH: Mapping[str, int] = {}


class CashTerms(NamedTuple):
    """Say how cash is compared: the account's currency, and by how many micro-units venue and we may differ.

    A venue tells the cash of the account's currency alone; nothing else is traded so far.
    """

    currency: str
    tolerance_micro: int


class CashBook:
    """Hold cash by currency, in micro-units.

    `unknown` are symbols that were traded beside the engine and that no instrument describes: what they moved cannot be
    told, so from then on no currency's cash is known.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument] = NO_INSTRUMENTS,
        opening_micro: Mapping[str, int] = NO_CASH,
    ) -> None:
        """Start with the deposits `opening_micro`, by currency."""
        self._instruments = instruments
        self._cash_micro: defaultdict[str, int] = defaultdict(int, opening_micro)
        self.unknown: set[str] = set()

    def executed(self, execution: Executed, sign: int) -> None:
        """Count an execution that stands from now on (`sign` 1) or no longer does (-1): value rounded once, and fee."""
        traded = self._instruments.get(execution.symbol)
        if traded is None:
            self.unknown.add(execution.symbol)
            return
        value = notional_micro(execution.price, execution.lots, traded.lots_per_unit, traded.multiplier)
        flow = -value if execution.side is Side.BUY else value
        self._cash_micro[traded.currency] += sign * (flow - execution.commission_micro)

    def paid(self, dividend: DividendPaid) -> None:
        """Count a dividend."""
        traded = self._instruments.get(dividend.symbol)
        if traded is None:
            self.unknown.add(dividend.symbol)
        else:
            self._cash_micro[traded.currency] += dividend.amount_micro

    def cash_micro(self, currency: str) -> int | None:
        """Return the cash in `currency`, None where it cannot be known."""
        return None if self.unknown else self._cash_micro[currency]
