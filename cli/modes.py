"""Say which commands the mode of TRADING_MODE allows."""

from __future__ import annotations

from collections.abc import Mapping

from config.mode import MODE_VARIABLE, TradingMode, trading_mode
from domain.errors import ConfigurationError


def refuse_other_modes(environ: Mapping[str, str]) -> None:
    """Raise ConfigurationError unless the engine can trade in the mode that `environ` sets (requirement C1)."""
    mode = trading_mode(environ)
    if mode is not TradingMode.SIMULATION:
        raise ConfigurationError(
            f"{MODE_VARIABLE}: found {mode.value}, for which no broker is connected in this version; "
            f"allowed: {TradingMode.SIMULATION.value} (unset it, or set it to that)"
        )


def refuse_without_simulation(environ: Mapping[str, str], command: str) -> None:
    """Raise ConfigurationError where `command` needs code of the simulation and the mode forbids to load it."""
    if trading_mode(environ) is TradingMode.LIVE:
        others = ", ".join(mode.value for mode in TradingMode if mode is not TradingMode.LIVE)
        raise ConfigurationError(
            f"{MODE_VARIABLE}: found {TradingMode.LIVE.value}, in which nothing of the simulation is loaded, and "
            f"`breakwater {command}` needs it; allowed: {others}: unset it for this command"
        )
