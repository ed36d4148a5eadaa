"""Which strategies share a role, and which share their symbols out among several (C4)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.sharing import most_strategy_roles, speakers, strategy_roles
from config.books import Strategies, StrategyInstance
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


SYMBOLS = ("AAPL", "IBM", "KO", "MSFT", "XOM")


def settings(folder: Path, per_actor: int) -> Settings:
    return load(
        write_config(folder / "config", "engine.yaml", {"supervision.strategies_per_actor": per_actor}), {}
    )


def test_each_strategy_has_a_role_of_its_own_as_shipped(tmp_path: Path) -> None:
    roles = strategy_roles(settings(tmp_path, 1), SYMBOLS)
    assert list(roles) == [f"strategy:{name}" for name in SORTED]
    assert [tuple(each.name for each in speakers) for speakers in roles.values()] == [(n,) for n in SORTED]


@pytest.mark.parametrize(("per_actor", "sizes"), [(2, [2, 2, 2]), (4, [4, 2]), (6, [6]), (1_000, [6])])
def test_packs_hold_so_many_each_in_the_order_of_their_ids(
    per_actor: int, sizes: list[int], tmp_path: Path
) -> None:
    configured = settings(tmp_path, per_actor)
    roles = strategy_roles(configured, SYMBOLS)
    assert list(roles) == [f"strategies:{number}" for number in range(1, len(sizes) + 1)]
    assert [len(speakers) for speakers in roles.values()] == sizes
    assert tuple(each.name for speakers in roles.values() for each in speakers) == SORTED
    assert most_strategy_roles(configured) == len(roles)


def in_parts(shards: int, symbols: tuple[str, ...] | None = None, per_actor: int = 1) -> Settings:
    """Return the shipped settings with one strategy, in parts."""
    shipped = load(None, {})
    instance = StrategyInstance(id="a", strategy="momentum", shards=shards, symbols=symbols)
    supervision = shipped.engine.supervision.model_copy(update={"strategies_per_actor": per_actor})
    engine = shipped.engine.model_copy(update={"supervision": supervision})
    return replace(shipped, engine=engine, strategies=Strategies(strategies=(instance,)))


def test_symbols_are_dealt_out_in_their_order_one_after_another() -> None:
    roles = strategy_roles(in_parts(2), tuple(reversed(SYMBOLS)))
    assert {role: [(e.name, e.symbols, e.part, e.parts) for e in each] for role, each in roles.items()} == {
        "strategy:a/1": [("a/1", ("AAPL", "KO", "XOM"), 1, 2)],
        "strategy:a/2": [("a/2", ("IBM", "MSFT"), 2, 2)],
    }


@given(
    shards=st.integers(1, 64),
    run=st.sets(st.sampled_from(SYMBOLS), min_size=1),
    watched=st.none() | st.sets(st.sampled_from((*SYMBOLS, "ELSEWHERE")), min_size=1),
)
def test_every_watched_symbol_has_one_part_and_no_part_is_idle(
    shards: int, run: set[str], watched: set[str] | None
) -> None:
    symbols = None if watched is None else tuple(watched)
    found = speakers(in_parts(shards, symbols), tuple(run))
    if len(found) == 1:
        assert (found[0].name, found[0].symbols, found[0].parts) == ("a", symbols, 1)
        return
    dealt = [symbol for each in found for symbol in each.symbols or ()]
    assert sorted(dealt) == sorted(run & (run if watched is None else watched))
    assert all(each.symbols for each in found)
    assert [each.part for each in found] == list(range(1, len(found) + 1))
    assert len(found) == min(shards, len(dealt))


def test_parts_share_a_role_as_strategies_do() -> None:
    configured = in_parts(5, per_actor=2)
    roles = strategy_roles(configured, SYMBOLS)
    assert [[each.name for each in pack] for pack in roles.values()] == [
        ["a/1", "a/2"],
        ["a/3", "a/4"],
        ["a/5"],
    ]
    assert most_strategy_roles(configured) == 3
