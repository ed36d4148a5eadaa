"""SIGKILL of any process at a random moment of live order flow: 0 orders doubled, 0 fills lost ("Shows" 1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.live.campaign import kills
from tests.sizes import PROVE, prove_size

SLOWEST_S = 60.0
"""Within which whatever was killed must be at work again, the driver included, on a machine under load."""


@pytest.mark.ray
@pytest.mark.timeout(20_000 if PROVE else 280)
@pytest.mark.parametrize(
    ("roles", "count"),
    [
        (("audit", "gateway", "risk", "feed", "strategy:momentum_fast", "coordinator"), prove_size(8, 3_000)),
        (("driver",), prove_size(1, 500)),
    ],
    ids=["roles", "driver"],
)
def test_killed_processes_cost_a_trade_at_most(tmp_path: Path, roles: tuple[str, ...], count: int) -> None:
    """C4, I1 to I3, I5, I6: the campaign holds each session's books to the venue's own journal."""
    done = list(kills(roles, count, seed=20_262, folder=tmp_path))
    assert len(done) == count
    assert {kill.role for kill in done} <= set(roles)
    assert max(kill.recovery_s for kill in done) < SLOWEST_S
