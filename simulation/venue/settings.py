"""Say what a simulated venue trades, charges and lends."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

from domain.codec import Codec
from domain.errors import CodecError, ConfigurationError
from domain.instruments import AssetKind, Instrument
from domain.risk.limits import FeeSchedule


class KindFees(NamedTuple):
    """Charge instruments of one kind by one schedule; its `slippage_bps` is theirs too."""

    kind: AssetKind
    schedule: FeeSchedule


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueSettings:
    """Describe a venue with one account in one currency.

    `cash_micro` is the account's first deposit. Gross exposure may reach `leverage` x equity where
    `check_buying_power` is set. One order takes at most the fraction `participation` of a bar's volume; 0 fills it
    whole. Raises ConfigurationError with every violation.
    """

    instruments: tuple[Instrument, ...]
    fees: tuple[KindFees, ...]
    cash_micro: int
    leverage: float
    participation: float
    check_buying_power: bool

    def __post_init__(self) -> None:
        """Refuse what a venue cannot work with."""
        found = _violations(self)
        if found:
            raise ConfigurationError("The simulated venue's settings are refused:\n" + "\n".join(found))

    @property
    def currency(self) -> str:
        """Return the account's currency."""
        return self.instruments[0].currency

    def schedules(self) -> dict[str, FeeSchedule]:
        """Return each symbol's fees."""
        by_kind = {fees.kind: fees.schedule for fees in self.fees}
        return {instrument.symbol: by_kind[instrument.kind] for instrument in self.instruments}


def _violations(settings: VenueSettings) -> list[str]:
    found = []
    symbols = Counter(instrument.symbol for instrument in settings.instruments)
    currencies = sorted({instrument.currency for instrument in settings.instruments})
    kinds = Counter(fees.kind for fees in settings.fees)
    if not symbols:
        found.append("instruments: none; at least one is needed")
    if len(currencies) > 1:
        found.append(
            f"instruments: currencies {', '.join(currencies)}; the venue keeps one account in one currency"
        )
    found += [f"instruments: {symbol} stands {n} times" for symbol, n in symbols.items() if n > 1]
    found += [f"fees: {kind} stands {n} times" for kind, n in kinds.items() if n > 1]
    missing = sorted({instrument.kind for instrument in settings.instruments} - set(kinds))
    found += [f"fees: none for instruments of kind {kind}" for kind in missing]
    if settings.cash_micro < 0:
        found.append(f"cash_micro: {settings.cash_micro}; allowed: 0 or more")
    if not (isfinite(settings.leverage) and settings.leverage > 0):
        found.append(f"leverage: {settings.leverage}; allowed: more than 0")
    if not 0 <= settings.participation <= 1:
        found.append(f"participation: {settings.participation}; allowed: 0 (off) to 1")
    for kind, schedule in settings.fees:
        if not all(isfinite(value) and value >= 0 for value in schedule):
            found.append(f"fees for {kind}: {tuple(schedule)}; allowed: finite figures of 0 or more")
    return found


SETTINGS_CODEC = Codec((VenueSettings, KindFees, Instrument, AssetKind, FeeSchedule))


def read_settings(data: bytes, source: str) -> VenueSettings:
    """Return the settings that `data` (JSON, as `SETTINGS_CODEC` writes it) holds; raises ConfigurationError."""
    try:
        found = SETTINGS_CODEC.decode(data)
    except CodecError as error:
        raise ConfigurationError(f"{source}: not the settings of a simulated venue: {error}") from error
    if not isinstance(found, VenueSettings):
        raise ConfigurationError(f"{source}: holds a {type(found).__name__}; allowed: VenueSettings")
    return found
