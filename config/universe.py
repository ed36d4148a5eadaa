"""Model `universe.yaml`: trading profiles per kind of asset, symbols with their sectors, the default universe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from config.fields import (
    CALENDAR,
    IDENTIFIER,
    QUOTED,
    SYMBOL,
    FrozenMap,
    Section,
    entries,
    flag,
    number,
    one_of,
    text,
)

QUOTE = "quote"
"""A profile's currency when it is the one that the symbol names after its slash."""

Kind = Literal["equity", "spot", "perpetual"]
Currency = Annotated[
    str, text("Currency of the price; `quote` is what follows the symbol's slash", pattern=QUOTED)
]
Calendar = Annotated[str, text("Exchange calendar (XNYS), or 24/7", pattern=CALENDAR)]
Sector = Annotated[str, text("Sector that the exposure counts against", pattern=IDENTIFIER)]
ProfileName = Annotated[str, text("Name of a profile", pattern=IDENTIFIER)]
Symbol = Annotated[str, text("Symbol", pattern=SYMBOL)]
Tick = Annotated[
    float, number("Price increment at or above one unit of currency", "currency", above=0, most=1_000)
]
Lots = Annotated[
    int,
    number("Lots, the increments of quantity, in one share, coin or contract", "lots", least=1, most=10**9),
]
Multiplier = Annotated[
    float, number("Value of one unit per point of price", "currency", above=0, most=1_000_000)
]
Sessions = Annotated[int, number("Sessions until the cash of a trade settles", "sessions", least=0, most=10)]
Shortable = Annotated[bool, flag("Whether a position below zero is possible")]


class Profile(Section):
    """Say how one kind of asset trades."""

    kind: Kind = one_of("Kind of asset")
    tick: Tick
    lots_per_unit: Lots
    multiplier: Multiplier
    currency: Currency
    calendar: Calendar
    settlement_sessions: Sessions
    shortable: Shortable
    sector: Sector


class Listing(Section):
    """Describe one symbol: its sector, and what differs from its profile (absent: nothing)."""

    sector: Sector
    profile: ProfileName | None = None
    tick: Tick | None = None
    lots_per_unit: Lots | None = None
    multiplier: Multiplier | None = None
    currency: Currency | None = None
    calendar: Calendar | None = None
    settlement_sessions: Sessions | None = None
    shortable: Shortable | None = None


class Universe(Section):
    """Be `universe.yaml`."""

    default: tuple[Symbol, ...] = entries(
        "Symbols that trade when neither symbols nor bars are named", fewest=1, most=10_000
    )
    profiles: Annotated[dict[ProfileName, Profile], AfterValidator(FrozenMap)] = entries(
        "How each kind of asset trades", fewest=3, most=1_000
    )
    symbols: Annotated[dict[Symbol, Listing], AfterValidator(FrozenMap)] = entries(
        "Symbols with their sector and what differs from their profile", fewest=0, most=100_000
    )
