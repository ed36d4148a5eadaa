"""Read the mode from the environment (requirement C1)."""

from __future__ import annotations

import pytest

from config.mode import TradingMode, trading_mode
from domain.errors import ConfigurationError


@pytest.mark.parametrize("name", ["LIVE", "PAPER", "SIMULATION"])
def test_each_mode_is_known_by_its_name(name: str) -> None:
    assert trading_mode({"TRADING_MODE": name}) is TradingMode[name]


def test_unset_mode_is_simulation() -> None:
    assert trading_mode({}) is TradingMode.SIMULATION


@pytest.mark.parametrize("text", ["", "live", "Live", " LIVE", "LIVE ", "PROD", "TradingMode.LIVE"])
def test_any_other_text_is_refused_with_the_modes_there_are(text: str) -> None:
    with pytest.raises(ConfigurationError, match="allowed: LIVE, PAPER, SIMULATION") as refusal:
        trading_mode({"TRADING_MODE": text})
    assert f"found {text!r}" in str(refusal.value)
    assert refusal.value.exit_code == 4
