"""Hold the venue's settings to their rules."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import ConfigurationError
from domain.instruments import AssetKind
from simulation.venue.settings import SETTINGS_CODEC, KindFees, read_settings
from tests.contract.venue_world import FREE, instrument, settings

A = instrument("A")


def test_settings_come_back_from_their_file_as_they_went() -> None:
    assert read_settings(SETTINGS_CODEC.encode(settings()), "x.json") == settings()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"instruments": ()}, "at least one"),
        ({"instruments": (A, A)}, "A stands 2 times"),
        ({"instruments": (A, instrument("B", currency="EUR"))}, "EUR, USD"),
        ({"fees": ()}, "none for instruments of kind equity"),
        ({"fees": (KindFees(AssetKind.EQUITY, FREE),) * 2}, "equity stands 2 times"),
        ({"fees": (KindFees(AssetKind.EQUITY, FREE._replace(value_bps=float("nan"))),)}, "finite"),
        ({"fees": (KindFees(AssetKind.EQUITY, FREE._replace(minimum_usd=-1.0)),)}, "finite"),
        ({"cash_micro": -1}, "cash_micro: -1"),
        ({"leverage": 0.0}, "leverage"),
        ({"leverage": float("inf")}, "leverage"),
        ({"participation": 1.5}, "participation"),
        ({"participation": float("nan")}, "participation"),
    ],
)
def test_what_a_venue_cannot_work_with_is_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        settings(**change)


def test_every_violation_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(cash_micro=-1, leverage=-1.0, participation=2.0)
    assert len(str(caught.value).splitlines()) == 4
