"""Model `books.yaml` and `strategies.yaml`: what trades, with which share of the equity, by which rule."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.fields import FILE, IDENTIFIER, NAME, FrozenMap, Section, entries, flag, number, one_of, text
from config.universe import Symbol

InstanceId = Annotated[str, text("Id of a strategy's instance", pattern=IDENTIFIER)]


def _plain(value: object) -> object:
    """Return a parameter's value; raise ValueError for what no parameter can be. Its strategy judges the rest."""
    if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError("a finite number, text, true or false")


Parameter = Annotated[object, AfterValidator(_plain), Field(description="Parameter of the strategy")]


class Book(Section):
    """Describe one book."""

    id: str = text("Name that its orders and fills carry", pattern=IDENTIFIER)
    share: float = number("Share of current equity it trades with", "fraction of equity", above=0, most=1)
    rule: Literal["vote", "independent"] = one_of("How its strategies' signals become trades")
    min_votes: int = number("Strategies that must agree on an entry", "votes", least=1, most=100)
    allow_short: bool = flag("Let direction -1 open a short position")
    strategies: tuple[InstanceId, ...] = entries("Ids of its instances", fewest=1, most=100)


class Books(Section):
    """Be `books.yaml`."""

    books: tuple[Book, ...] = entries("The books", fewest=1, most=100)


class StrategyInstance(Section):
    """Run one strategy with one set of parameters."""

    id: str = text("Name that its signals carry and a book calls it by", pattern=IDENTIFIER)
    strategy: str = text("Name of the strategy (`breakwater strategies list`)", pattern=NAME)
    parameters: Annotated[
        dict[str, Parameter],
        AfterValidator(FrozenMap),
        entries("Parameters that differ from the strategy's defaults", fewest=0, most=100),
    ] = FrozenMap()
    symbols: Annotated[tuple[Symbol, ...], entries("Symbols it watches", fewest=1, most=10_000)] | None = None
    file: Annotated[str, text("Python file that defines the strategy", pattern=FILE)] | None = None
    shards: (
        Annotated[int, number("Processes among which its symbols are shared out", "parts", least=1, most=64)]
        | None
    ) = None

    @property
    def parts(self) -> int:
        """Return among how many its symbols are shared out."""
        return self.shards or 1


class Strategies(Section):
    """Be `strategies.yaml`."""

    strategies: tuple[StrategyInstance, ...] = entries("The instances", fewest=1, most=100)
