"""Which strategies share a role, as `strategies_per_actor` says (C4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.sharing import most_strategy_roles, strategy_roles
from config.loader import load
from config.settings import Settings
from tests.scenario.settings import write_config

SORTED = (
    "mean_reversion_fast",
    "mean_reversion_slow",
    "momentum_fast",
    "momentum_slow",
    "vwap_fast",
    "vwap_slow",
)


def settings(folder: Path, per_actor: int) -> Settings:
    return load(
        write_config(folder / "config", "engine.yaml", {"supervision.strategies_per_actor": per_actor}), {}
    )


def test_each_strategy_has_a_role_of_its_own_as_shipped(tmp_path: Path) -> None:
    roles = strategy_roles(settings(tmp_path, 1))
    assert list(roles) == [f"strategy:{name}" for name in SORTED]
    assert [tuple(each.name for each in speakers) for speakers in roles.values()] == [(n,) for n in SORTED]


@pytest.mark.parametrize(("per_actor", "sizes"), [(2, [2, 2, 2]), (4, [4, 2]), (6, [6]), (1_000, [6])])
def test_packs_hold_so_many_each_in_the_order_of_their_ids(
    per_actor: int, sizes: list[int], tmp_path: Path
) -> None:
    configured = settings(tmp_path, per_actor)
    roles = strategy_roles(configured)
    assert list(roles) == [f"strategies:{number}" for number in range(1, len(sizes) + 1)]
    assert [len(speakers) for speakers in roles.values()] == sizes
    assert tuple(each.name for speakers in roles.values() for each in speakers) == SORTED
    assert most_strategy_roles(configured) == len(roles)
