"""Make the engine of a fault search from the shipped configuration: tight limits, strategies that trade a lot."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from cli.composition import chaos_specs
from cli.plan import EnginePlan, SessionPlan
from config.books import Book, Books, Strategies, StrategyInstance
from config.loader import load
from config.settings import Settings
from domain.bars import BarTable
from domain.messages import strategy_role
from simulation.chaos.world import Given, Site
from simulation.venue.settings import VenueSettings
from supervisor.child_spec import ChildSpec
from supervisor.restart_policy import Intensity

VOTING, ALONE = ("calm", "eager", "loud"), ("stray",)
"""Strategies of the book that votes, and of the one in which each trades alone."""

_NOWHERE = Path("nowhere")


def chaos_site() -> Site:
    """Return the site of a fault search; reading the configuration takes a second or two."""
    settings = chaos_settings()
    supervision = settings.engine.supervision
    return Site(
        compose=partial(_compose, settings),
        strategies=(*VOTING, *ALONE),
        roles=tuple(strategy_role(name) for name in (*VOTING, *ALONE)),
        venue=partial(_venue, settings),
        intensity=Intensity(supervision.restarts, supervision.restart_window_s),
    )


def chaos_settings() -> Settings:
    """Return the shipped settings with what makes a short run eventful: halts come soon and end soon."""
    shipped = load(None, {})
    halt = shipped.risk.halt.model_copy(
        update={"daily_loss": 0.002, "drawdown": 0.006, "resume_after_sessions": 2}
    )
    risk = shipped.risk.model_copy(
        update={"max_daily_loss": 0.001, "max_total_drawdown": 0.003, "halt": halt}
    )
    voting = Book(id="main", share=0.7, rule="vote", min_votes=2, allow_short=False, strategies=VOTING)
    alone = Book(id="side", share=0.3, rule="independent", min_votes=1, allow_short=False, strategies=ALONE)
    instances = tuple(StrategyInstance(id=name, strategy="momentum") for name in (*VOTING, *ALONE))
    parts = {name: getattr(shipped, name) for name in Settings.__dataclass_fields__}
    return Settings(
        **parts
        | {
            "risk": risk,
            "books": Books(books=(voting, alone)),
            "strategies": Strategies(strategies=instances),
        }
    )


def _plan(settings: Settings, table: BarTable, first: int) -> EnginePlan:
    session = SessionPlan(number=1, first=first, state_dir=_NOWHERE, bars=_NOWHERE)
    return EnginePlan(settings=settings, table=table, session=session, pace_s=0.0)


def _compose(settings: Settings, table: BarTable, first: int, given: Given) -> Sequence[ChildSpec]:
    return chaos_specs(_plan(settings, table, first).supervised(), given)


def _venue(settings: Settings, table: BarTable) -> VenueSettings:
    return _plan(settings, table, 0).venue()
