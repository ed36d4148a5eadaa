"""Model `risk_management.yaml`: every number by which risk is judged (requirement A5)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.fields import Section, entries, flag, number, part
from domain.records import HaltTrigger

FRACTION = "fraction of equity"
USD = "USD"


class PositionSize(Section):
    """Bound the value of one position."""

    min: float = number("Smallest position that is opened", USD, above=0, most=10_000_000)
    base: float = number("Position at middling confidence", USD, above=0, most=10_000_000)
    max: float = number("Largest position that is opened", USD, above=0, most=10_000_000)


class OrderValue(Section):
    """Bound the value of one order."""

    min: float = number("Smallest order, unless it only reduces a position", USD, least=0, most=10_000_000)
    max: float = number("Largest order", USD, above=0, most=10_000_000)


class Orders(Section):
    """Bound an order beside its value."""

    price_collar: float = number(
        "Distance of an order's price from the last mark", "fraction of the mark", above=0, most=1
    )
    max_open_per_symbol: int = number(
        "Entries and exits of one symbol that work at once, over all books", "orders", least=1, most=1_000
    )
    max_entries_without_fill: int = number(
        "Entries of one strategy in a row of which none fills", "orders", least=1, most=10_000
    )


class Exposure(Section):
    """Bound what is held at once."""

    gross: float = number("Sum of the values of all positions, long and short", FRACTION, above=0, most=20)
    net: float = number("Value of long positions less short ones, either way", FRACTION, above=0, most=20)
    sector: float = number("Value of the positions of one sector", FRACTION, above=0, most=20)
    symbol: float = number("Value of the position in one symbol", FRACTION, above=0, most=20)
    max_positions: int = number("Positions open at once", "positions", least=1, most=1_000)


class Failures(Section):
    """Say how many failures of strategies halt the account (requirement B1)."""

    max_consecutive: int = number("Failures in a row with no success between", "failures", least=1, most=100)
    rate: float = number("Share of failed evaluations that is still borne", "fraction", above=0, below=1)
    window: int = number("Latest evaluations the rate is taken over", "evaluations", least=1, most=10_000)
    window_min: int = number("Evaluations before the rate counts", "evaluations", least=1, most=10_000)


class Halt(Section):
    """Say what halts the account and how a halt ends (requirements B1, B4)."""

    daily_loss: float = number("Loss since the day's start that halts", FRACTION, above=0, most=0.5)
    drawdown: float = number("Loss from the peak that halts", FRACTION, above=0, most=0.9)
    heat: float = number("Portfolio heat that halts", FRACTION, above=0, most=1)
    cooldown_s: float = number("Wait before a halt may be lifted", "s", least=0, most=86_400)
    resume_after_sessions: int = number(
        "Sessions after which a replay resumes by itself, 0 for never; must be 0 in LIVE", "sessions",
        least=0, most=10_000,
    )  # fmt: skip
    keep_protective_stops: bool = flag("Leave the stops of open positions at the broker during a halt")
    failures: Failures = part("Failures of strategies")


class OrderUnits(Section):
    """Bound the quantity of one order on the wire, per kind of asset."""

    equity: float = number("Largest quantity of a stock", "shares", above=0, most=1e12)
    spot: float = number("Largest quantity of a coin", "coins", above=0, most=1e12)
    perpetual: float = number("Largest quantity of a perpetual future", "contracts", above=0, most=1e12)


class HardLimits(Section):
    """Bound what the gateway lets onto the wire, whatever was approved before."""

    max_order_value: float = number("Largest order on the wire", USD, above=0, most=100_000_000)
    max_order_units: OrderUnits = part("Largest quantity on the wire, per kind of asset")
    max_orders_per_bar: int = number("Orders on the wire between two bars", "orders", least=1, most=10_000)


Trigger = Annotated[HaltTrigger, Field(strict=False)]
Warning_ = Annotated[float, number("Heat that warns", FRACTION, above=0, most=1)]


class Emergency(Section):
    """Set the kill switch and panic mode."""

    enable_kill_switch: bool = flag(
        "Let triggers pull the kill switch; `breakwater flatten` closes positions in any case"
    )
    kill_switch_triggers: tuple[Trigger, ...] = entries(
        "Halt triggers that pull the kill switch; a latch file (kill_switch) names its own rung in any case",
        fewest=0,
        most=len(HaltTrigger),
    )
    flatten_on_kill: bool = flag("Close every position when one of these triggers pulls the kill switch")
    panic_mode: bool = flag("Halt on a technical failure of unknown kind")


class RiskManagement(Section):
    """Be `risk_management.yaml`."""

    max_daily_loss: float = number(
        "Loss since the day's start that stops entries", FRACTION, above=0, most=0.10
    )
    max_total_drawdown: float = number("Loss from the peak that stops entries", FRACTION, above=0, most=0.30)
    max_portfolio_heat: float = number(
        "Sum over positions of value times stop, as held at risk", FRACTION, above=0, most=0.50
    )
    max_single_position_risk: float = number("Value times stop of one position", FRACTION, above=0, most=0.10)
    stop_loss_percent: float = number(
        "Distance of a position's stop from its entry price", "fraction of price", least=0.01, most=0.05
    )
    position_size: PositionSize = part("Value of one position")
    order_value: OrderValue = part("Value of one order")
    orders: Orders = part("An order beside its value")
    min_confidence: float = number("Weakest signal that is traded", "confidence", least=0, most=1)
    exposure: Exposure = part("What is held at once")
    mark_max_age_bars: int = number("Age at which a price is stale", "bars", least=1, most=1_000)
    heat_warnings: tuple[Warning_, ...] = entries(
        "Portfolio heat that is recorded as a warning when reached, rising", fewest=0, most=10
    )
    enable_drawdown_protection: bool = flag("Stop entries at max_total_drawdown")
    require_positive_expectancy: bool = flag("Enter only with strategies that have earned so far")
    halt: Halt = part("What halts the account and how a halt ends")
    hard_limits: HardLimits = part("What the gateway lets onto the wire")
    emergency: Emergency = part("Kill switch and panic mode")
