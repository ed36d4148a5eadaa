"""A role's log has a name that is one file's, whatever its address."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.logs import log_path


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("risk", "risk.log"),
        ("strategy:vwap_fast", "strategy-vwap_fast.log"),
        ("strategy:vwap_fast/2", "strategy-vwap_fast-2.log"),
        ("strategies:1", "strategies-1.log"),
    ],
)
def test_addresses_of_strategies_and_their_parts_are_file_names(role: str, name: str) -> None:
    assert log_path(Path("state"), role) == Path("state", "logs", name)
