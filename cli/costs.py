"""Say what trading cost: commissions as the venue charged them, and the slippage that its fills contain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cli.executions import standing
from config.settings import Settings
from domain.broker import Executed, OrderType, Side
from domain.fills import slippage_within
from domain.instruments import MICRO, Instrument, notional_micro
from domain.records import ExecutionEntry, OrderEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Hold what executions cost, in units of the account's currency."""

    commissions: float
    slippage: float

    @property
    def total(self) -> float:
        """Return commissions and slippage together."""
        return self.commissions + self.slippage


def trading_costs(orders: Iterable[OrderEntry], fills: Sequence[ExecutionEntry], settings: Settings) -> Costs:
    """Return what `fills` at the simulated venue cost, corrected ones as they stand now.

    Slippage is the distance of a fill from the price the venue found before it worsened it (the open, or the stop), as
    `domain.fills` has it. Limit orders fill without. `settings` are those of the session.
    """
    limits = {order.order_ref for order in orders if order.order_type is OrderType.LIMIT}
    counting = standing(fills)
    traded = {entry.execution.symbol for entry in counting}
    instruments = {symbol: settings.instrument(symbol) for symbol in traded}
    rates = {symbol: settings.fee_schedule(each.kind).slippage_bps for symbol, each in instruments.items()}
    commission = slippage = 0
    for entry in counting:
        done = entry.execution
        commission += done.commission_micro
        if done.order_ref not in limits:
            slippage += _slippage_micro(done, instruments[done.symbol], rates[done.symbol])
    return Costs(commissions=commission / MICRO, slippage=slippage / MICRO)


def _slippage_micro(done: Executed, instrument: Instrument, slippage_bps: float) -> int:
    lost = slippage_within(done.price, 1 if done.side is Side.BUY else -1, slippage_bps)
    return notional_micro(lost, done.lots, instrument.lots_per_unit, instrument.multiplier)
