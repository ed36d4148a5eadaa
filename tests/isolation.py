"""Keep Ray out of tests that must run in one process."""

from __future__ import annotations

import sys

import pytest

WHERE = "tests that need Ray live in tests/actor or tests/scenario"


def _refuse(*_args: object, **_kwargs: object) -> None:
    raise AssertionError(f"a unit test called ray.init: {WHERE}")


def refuse_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `ray.init` raise where Ray is loaded already."""
    ray = sys.modules.get("ray")
    if ray is not None:
        monkeypatch.setattr(ray, "init", _refuse)


def stop_started_ray() -> bool:
    """Return whether the test imported Ray by itself and started it; stop it then."""
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return False
    ray.shutdown()
    return True
