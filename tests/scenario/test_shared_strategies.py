"""How strategies are spread over processes changes no decision: the same digest, orders and fills (C4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from config.loader import SHIPPED
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


def parts(folder: Path, shards: int, per_actor: int = 1) -> Path:
    """Write a configuration in which every second strategy has so many parts."""
    config = packs(folder, per_actor)
    document = yaml.safe_load((SHIPPED / "strategies.yaml").read_text(encoding="utf-8"))
    for instance in document["strategies"][::2]:
        instance["shards"] = shards
    (config / "strategies.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return config


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


@pytest.mark.parametrize(("shards", "per_actor"), [(2, 1), (3, 4), (64, 1)])
def test_parts_decide_what_whole_strategies_decide(
    shards: int, per_actor: int, data: Path, apart: dict[str, Any], tmp_path: Path
) -> None:
    shared = session(request(data, tmp_path / "state", config=parts(tmp_path, shards, per_actor)))
    assert traded(shared) == traded(apart)


@pytest.mark.ray
@pytest.mark.parametrize(("shards", "per_actor"), [(2, 1), (3, 4)])
def test_parts_on_ray_decide_what_whole_strategies_decide(
    shards: int, per_actor: int, data: Path, apart: dict[str, Any], tmp_path: Path
) -> None:
    """Alone, a process each; and packed, parts of one strategy beside another."""
    shared = run_json(
        *("--data", data, "--config", parts(tmp_path, shards, per_actor), "--state", tmp_path / "state"),
        *("--runtime", "ray"),
    )
    assert shared["audit"]["decisions_digest"] == apart["audit"]["decisions_digest"]
    assert shared["details"] == apart["details"]
