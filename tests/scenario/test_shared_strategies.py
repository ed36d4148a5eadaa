"""How strategies are spread over processes changes no decision: the same digest, orders and fills (C4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.scenario.bars import thin_market
from tests.scenario.engine import request, run_json, session
from tests.scenario.settings import tight, write_config


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return thin_market(tmp_path_factory.mktemp("shared") / "bars.csv")


@pytest.fixture(scope="module")
def apart(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what an engine does in which each strategy has a process of its own."""
    folder = tmp_path_factory.mktemp("apart")
    return session(request(data, folder / "state", config=tight(folder / "config")))


def packs(folder: Path, per_actor: int) -> Path:
    return write_config(
        tight(folder / "config"), "engine.yaml", {"supervision.strategies_per_actor": per_actor}
    )


def traded(summary: dict[str, Any]) -> tuple[Any, ...]:
    """Return what must not depend on how strategies are spread."""
    return (
        summary["audit"]["decisions_digest"],
        summary["details"],
        summary["trades"],
        summary["equity"],
    )


@pytest.mark.parametrize("per_actor", [2, 4, 1_000])
def test_packs_decide_what_strategies_apart_decide(
    per_actor: int, data: Path, apart: dict[str, Any], tmp_path: Path
) -> None:
    together = session(request(data, tmp_path / "state", config=packs(tmp_path, per_actor)))
    assert traded(together) == traded(apart)
    assert apart["trades"] > 0


@pytest.mark.ray
def test_packs_on_ray_decide_what_strategies_apart_decide(
    data: Path, apart: dict[str, Any], tmp_path: Path
) -> None:
    """Four strategies in one process, two in another."""
    together = run_json(
        "--data", data, "--config", packs(tmp_path, 4), "--state", tmp_path / "state", "--runtime", "ray"
    )
    assert together["runtime"] == "ray"
    assert together["audit"]["decisions_digest"] == apart["audit"]["decisions_digest"]
    assert together["details"] == apart["details"]
