"""What `doctor` checks is what `run` needs: the same Ray, the same memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cli.checks import ACTORS, check_configuration, check_memory, check_ray
from cli.sharing import most_roles
from cli.verdicts import Finding
from supervisor.ray_environment import ACTOR_BYTES, MIB, OBJECT_STORE_BYTES, RAY_BYTES, Capacity
from tests.scenario.settings import write_config


def memory(free: int, config: Path | None, shared: int | None = None) -> Mapping[str, Finding]:
    settings, _ = check_configuration(config, {})
    found = check_memory(Capacity(memory=free, shared=shared), settings)
    return {finding.check: finding for finding in found}


def packed(folder: Path, **engine: Any) -> Path:
    plain = {"supervision.strategies_per_actor": 6, "runtime.ray.object_store_bytes": OBJECT_STORE_BYTES}
    return write_config(folder, "engine.yaml", {**plain, **engine})


def test_memory_is_checked_for_the_roles_that_the_configuration_makes(tmp_path: Path) -> None:
    """Six strategies in one process: six roles instead of eleven."""
    enough = RAY_BYTES + 6 * ACTOR_BYTES + OBJECT_STORE_BYTES
    assert memory(enough, packed(tmp_path))["memory"].verdict == "ok"
    assert memory(enough - 1, packed(tmp_path))["memory"].verdict == "failed"
    shipped = memory(enough, None)["memory"]
    assert (shipped.verdict, "11 actors on Ray need" in shipped.found) == ("failed", True)


def test_shared_memory_is_checked_for_the_configured_object_store(tmp_path: Path) -> None:
    config = packed(tmp_path, **{"runtime.ray.object_store_bytes": 200 * MIB})
    assert memory(1 << 40, config, 249 * MIB)["shared memory"].verdict == "failed"
    assert memory(1 << 40, config, 250 * MIB)["shared memory"].verdict == "ok"


def test_memory_is_checked_for_the_shipped_roles_where_no_configuration_can_be_read(tmp_path: Path) -> None:
    shipped, _ = check_configuration(None, {})
    assert shipped is not None
    assert most_roles(shipped) == ACTORS
    (tmp_path / "engine.yaml").write_text("nonsense: 1\n", encoding="utf-8")
    settings, finding = check_configuration(tmp_path, {})
    assert (settings, finding.verdict) == (None, "failed")
    assert "11 actors" in next(check_memory(Capacity(memory=1, shared=None), settings)).found


def test_a_folder_called_ray_where_the_command_is_given_is_not_taken_for_ray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "__init__.py").write_text("raise ImportError('not this one')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    finding = check_ray()
    assert finding.verdict == "ok", finding
