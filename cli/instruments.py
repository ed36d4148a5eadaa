"""Name the instruments of a session's symbols, and say whether the configuration at hand is the session's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cli.registry import read_settings
from cli.stores import Stores
from config.settings import Settings
from domain.instruments import Instrument


class Instruments:
    """Look symbols up in a configuration, each once."""

    def __init__(self, settings: Settings) -> None:
        """Look up in `settings`."""
        self._settings = settings
        self._known: dict[str, Instrument] = {}

    def __getitem__(self, symbol: str) -> Instrument:
        """Return the instrument of `symbol`; raises ConfigurationError for what is no symbol."""
        if symbol not in self._known:
            self._known[symbol] = self._settings.instrument(symbol)
        return self._known[symbol]

    def of(self, symbols: Iterable[str]) -> list[Instrument]:
        """Return the instruments of `symbols`, sorted, each once."""
        return [self[symbol] for symbol in sorted(set(symbols))]


def session_settings(stores: Stores, config: Path | None, environ: dict[str, str]) -> tuple[Settings, str]:
    """Return the settings and a warning, empty when they are those that the session runs with."""
    settings = read_settings(config, environ)
    if settings.fingerprint == stores.session.configuration:
        return settings, ""
    return settings, (
        f"session {stores.session.number} was begun with another configuration than the one at hand; units, opening "
        f"cash and currency are taken from the one at hand: name the session's with --config DIR"
    )
