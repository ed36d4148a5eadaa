"""Model `broker.yaml`: what the simulated venue charges and how it fills."""

from __future__ import annotations

from config.fields import Section, flag, number, part


class Fees(Section):
    """Say what an execution in one kind of asset costs."""

    per_unit_usd: float = number(
        "Commission per share, coin or contract", "USD per unit", least=0, most=1_000
    )
    minimum_usd: float = number("Least commission of an order", "USD", least=0, most=1_000)
    maximum_fraction: float = number(
        "Cap of the commission per unit", "fraction of trade value", above=0, most=1
    )
    value_bps: float = number("Commission on the trade value, on top", "basis points", least=0, most=1_000)


class FeesByKind(Section):
    """Say what executions cost, per kind of asset."""

    equity: Fees = part("Stocks and ETFs")
    spot: Fees = part("Coins")
    perpetual: Fees = part("Perpetual futures")


class Broker(Section):
    """Be `broker.yaml`."""

    fees: FeesByKind = part("Commissions")
    slippage_bps: float = number(
        "How much worse than the bar's price market and stop orders fill", "basis points", least=0, most=1_000
    )
    partial_fills: bool = flag("Fill at most `participation` of a bar's volume and leave the rest working")
    participation: float = number("Share of a bar's volume one order may take", "fraction", above=0, most=1)
    reject_beyond_buying_power: bool = flag("Reject an order whose cost exceeds equity times leverage")
