"""Keep tests apart from the person who runs them, and Ray out of those that must run in one process."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

KEPT = ("BREAKWATER_DATA", "BREAKWATER_PROVE")
"""Settings that are meant for the tests."""

WHERE = "tests that need Ray live in tests/actor or tests/scenario"


def private_environment(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return `environ` without what belongs to the person: mode, secrets and settings, and with `home` as HOME.

    So a TRADING_MODE=LIVE of a shell reaches no test, and no test writes a key into the user's own folders.
    """
    ours = {
        name: value
        for name, value in environ.items()
        if name in KEPT
        or not (name == "TRADING_MODE" or name.startswith("BREAKWATER_") or _user_folder(name))
    }
    return {**ours, "HOME": str(home)}


def _user_folder(name: str) -> bool:
    return name.startswith("XDG_") and name.endswith("_HOME")


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
