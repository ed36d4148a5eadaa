"""Say in which mode the process runs: TRADING_MODE, read from the environment and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from config.violations import InvalidConfiguration, Violation, shown

MODE_VARIABLE = "TRADING_MODE"


class TradingMode(StrEnum):
    """Name the modes (requirement C1)."""

    LIVE = "LIVE"
    PAPER = "PAPER"
    SIMULATION = "SIMULATION"


def trading_mode(environ: Mapping[str, str]) -> TradingMode:
    """Return the mode that `environ` sets; SIMULATION when it sets none.

    Raises InvalidConfiguration for any other text, an empty one and another case included: a mistyped LIVE must not
    quietly become a simulation, nor the reverse.
    """
    text = environ.get(MODE_VARIABLE)
    if text is None:
        return TradingMode.SIMULATION
    if text not in TradingMode.__members__:
        allowed = f"allowed: {', '.join(TradingMode)} (unset means SIMULATION)"
        raise InvalidConfiguration([Violation("environment", MODE_VARIABLE, shown(text), allowed)])
    return TradingMode(text)
