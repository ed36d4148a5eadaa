"""Build the roles that touch a simulated venue or replayed bars, on Ray and inline.

Inline, everything shares one process: the venue and the bar table come ready-made in the arguments.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from actors.latched_broker import LatchedBroker
from actors.parts import ActorContext, Parts, Spec
from actors.roles import audit_parts, gateway_machine, open_journal
from actors.strategy_roles import strategies_parts
from domain.errors import BrokerUnavailable, InvariantViolation
from domain.market_data import MarketData
from domain.messages import VENUE, BarsPublished
from domain.ports import BrokerPort
from domain.strategies.evaluator import BlockEvaluator, Evaluator, LiveEvaluator
from domain.strategies.history import symbol_bars
from domain.strategies.protocol import StrategyInstance
from domain.strategies.registry import BUILT_IN
from simulation.replay import ReplayFeed
from simulation.venue.link import VenueBroker, VenueMarket
from storage.catalogue import read_bars
from storage.latch_file import LatchFile
from supervisor.breakers import build_breaker


class MarketRoute:
    """Carry what the feed publishes to the venue's process (port: `domain.ports.Mailbox`)."""

    def __init__(self, market: VenueMarket) -> None:
        """Open `market` with the first message."""
        self._market = market
        self._open = False

    def put(self, message: Any, *, control: bool = False) -> None:
        """Send one group; connects anew, once, when the connection was lost: a group sent again changes nothing."""
        del control
        if not isinstance(message, BarsPublished):
            raise InvariantViolation(f"a market takes BarsPublished, not {type(message).__name__}")
        if not self._open:
            self._connect()
        try:
            self._market.put(message)
        except BrokerUnavailable:
            self._connect()
            self._market.put(message)

    def _connect(self) -> None:
        self._market.open()
        self._open = True


def _market_data(spec: Spec) -> MarketData:
    return MarketData(replace(spec.arguments["settings"], generation=spec.generation))


def gateway(spec: Spec, context: ActorContext) -> Parts:
    """Build the gateway with a link to the venue's process, guarded by the halt latch's file."""
    journal = open_journal(spec)
    machine = gateway_machine(spec, journal, build_breaker)
    latch = LatchFile(context.state_dir)
    broker = LatchedBroker(VenueBroker(context.state_dir), latch)
    return Parts(
        machine=machine,
        journal=journal,
        broker=broker,
        latch=latch,
        notices=spec.arguments.get("notices", False),
    )


def feed(spec: Spec, context: ActorContext) -> Parts:
    """Build the feed that replays the bar file at `arguments["bars"]` and moves the venue's market."""
    port = ReplayFeed(read_bars(Path(spec.arguments["bars"])))
    machine = _market_data(spec)
    return Parts(
        machine=machine,
        journal=open_journal(spec),
        feed=port,
        routes={VENUE: MarketRoute(VenueMarket(context.state_dir))},
    )


def inline_audit(spec: Spec, context: ActorContext) -> Parts:
    """Build the audit writer of an inline run: it writes in batches, after the journals have committed."""
    return audit_parts(spec, context, before_append=spec.arguments["before_append"])


def inline_gateway(spec: Spec, context: ActorContext) -> Parts:
    """Build the gateway around the venue of this process; `arguments["latched"]` guards it by the latch's file.

    Unpaced, years of bars pass before anybody could write that file: it is not looked at.
    """
    journal = open_journal(spec)
    machine = gateway_machine(spec, journal, build_breaker)
    latch = LatchFile(context.state_dir)
    broker: BrokerPort = spec.arguments["broker"]
    if spec.arguments.get("latched", False):
        broker = LatchedBroker(broker, latch)
    return Parts(
        machine=machine,
        journal=journal,
        broker=broker,
        latch=latch,
        notices=spec.arguments.get("notices", False),
    )


def inline_venue(spec: Spec, context: ActorContext) -> Parts:
    """Build the venue's role: it answers the gateway like any machine."""
    del context
    return Parts(machine=spec.arguments["broker"])


def inline_feed(spec: Spec, context: ActorContext) -> Parts:
    """Build the feed that replays the table of this process."""
    del context
    machine = _market_data(spec)
    return Parts(machine=machine, journal=open_journal(spec), feed=ReplayFeed(spec.arguments["table"]))


def inline_strategies(spec: Spec, context: ActorContext) -> Parts:
    """Build strategies that evaluate each block once, from all its bars: what comes out is the same."""
    del context
    table = spec.arguments["table"]

    def evaluator(instance: StrategyInstance, watched: frozenset[str] | None) -> Evaluator:
        if instance.definition in BUILT_IN:
            symbols = table.symbols if watched is None else sorted(watched.intersection(table.symbols))
            bars = [symbol_bars(table, symbol) for symbol in symbols]
            return BlockEvaluator(instance, bars, table.bar_ns, table.continuous)
        # A stranger's strategy may look ahead, and a whole block would let it: it sees what has come, as on Ray.
        return LiveEvaluator(instance, table.bar_ns, table.continuous)

    return strategies_parts(spec, evaluator)
