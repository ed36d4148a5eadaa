"""Check what keeps tests apart from the person who runs them, and Ray out of unit tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.isolation import private_environment, refuse_ray, stop_started_ray


class _Ray(ModuleType):
    started = False

    def init(self) -> None:
        self.started = True

    def is_initialized(self) -> bool:
        return self.started

    def shutdown(self) -> None:
        self.started = False


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> _Ray:
    module = _Ray("ray")
    monkeypatch.setitem(sys.modules, "ray", module)
    return module


def test_ray_loaded_earlier_cannot_be_started(ray: _Ray, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_ray(monkeypatch)
    with pytest.raises(AssertionError, match="tests/actor"):
        ray.init()
    assert not stop_started_ray()


def test_ray_started_by_the_test_itself_is_found_and_stopped(ray: _Ray) -> None:
    ray.init()
    assert stop_started_ray()
    assert not ray.started


def test_a_test_without_ray_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    refuse_ray(monkeypatch)
    assert not stop_started_ray()


def test_settings_of_the_person_reach_no_test() -> None:
    environ = {
        "PATH": "/bin",
        "HOME": "/home/ann",
        "TRADING_MODE": "LIVE",
        "BREAKWATER_BROKER_PASSWORD": "hunter2",
        "BREAKWATER_DATA": "/data",
        "BREAKWATER_PROVE": "1",
        "XDG_CONFIG_HOME": "/home/ann/.config",
        "XDG_RUNTIME_DIR": "/run/user/1",
    }
    assert private_environment(environ, Path("/tmp/h")) == {
        "PATH": "/bin",
        "HOME": "/tmp/h",
        "BREAKWATER_DATA": "/data",
        "BREAKWATER_PROVE": "1",
        "XDG_RUNTIME_DIR": "/run/user/1",
    }


def test_this_run_has_a_home_of_its_own() -> None:
    assert "TRADING_MODE" not in os.environ
    assert Path.home().name.startswith("breakwater-home-")
