"""Configure the risk manager."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.breakers import BreakerTerms, StrategyBreakerTerms
from domain.instruments import Instrument
from domain.lease import NO_PULSES, LeaseTerms
from domain.risk.limits import AccountTerms, BookSettings, RiskLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSettings:
    """Hold all that the risk manager needs to know.

    `strategies` are the ids that must speak at every bar, `session_number` the trading session of the state directory
    (it begins every intent id), `opening_orders` sends entries and exits as market-on-open orders (daily bars), `epoch`
    is this manager's generation. `lockstep` makes each bar wait for the simulated market's word that it is done.
    `flattening` names the halt triggers that close every position. Deadlines are in seconds of the control clock:
    for all signals of a bar, and for another role's answer before it is asked for again; so is `lease`, without which
    nothing is entered. `breakers` says when a strategy that fails is left out; None: never. `entry_breakers` says
    by name (`domain/risk/entry_breakers.py`) when data or a calculation that fail keep entries out; without: never.
    `shards` are, of each strategy whose symbols are shared out among parts, those of each part.
    """

    limits: RiskLimits
    books: tuple[BookSettings, ...]
    strategies: tuple[str, ...]
    instruments: Mapping[str, Instrument]
    currency: str
    cash_micro: int
    terms: AccountTerms
    session_number: int
    opening_orders: bool
    lockstep: bool
    signal_deadline_s: float
    answer_deadline_s: float
    generation: int
    epoch: int
    flattening: frozenset[str] = frozenset()
    lease: LeaseTerms = NO_PULSES
    breakers: StrategyBreakerTerms | None = None
    entry_breakers: Mapping[str, BreakerTerms] = field(default_factory=dict)
    shards: Mapping[str, tuple[frozenset[str], ...]] = field(default_factory=dict)
