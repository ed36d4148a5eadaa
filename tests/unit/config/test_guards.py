"""Refuse imports that the mode forbids, in processes of their own (requirement C1)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import config
from config.guards import FORBIDDEN, ImportGuard, install, refuse_forbidden
from config.mode import TradingMode
from domain.errors import ConfigurationError

ROOT = Path(config.__file__).resolve().parent.parent


def run(program: str, mode: str | None, *paths: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a process whose mode is `mode`; `paths` go before the repository."""
    environ = {k: v for k, v in os.environ.items() if k not in ("TRADING_MODE", "PYTHONPATH")}
    environ["PYTHONPATH"] = os.pathsep.join(map(str, [*paths, ROOT]))
    if mode is not None:
        environ["TRADING_MODE"] = mode
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT.anchor,
    )


BROKER = """
import actors, sys, types
from pathlib import Path
folder = Path({folder!r})
(folder / "brokers").mkdir()
(folder / "brokers" / "__init__.py").write_text("")
(folder / "brokers" / "ib.py").write_text("print('loaded')")
(folder / "brokers" / "ibis.py").write_text("print('another loaded')")
actors.__path__.insert(0, str(folder))
import actors.brokers.{module}
"""


@pytest.mark.parametrize("module", ["simulation", "simulation.anything"])
def test_simulation_cannot_be_loaded_in_live(module: str) -> None:
    result = run(f"import {module}", "LIVE")
    assert result.returncode == 1
    assert (
        "TRADING_MODE: found LIVE, in which simulation cannot be loaded; allowed: PAPER, SIMULATION"
        in result.stderr
    )


def test_simulation_stays_refused_when_tried_again_or_caught() -> None:
    program = """
import importlib
for _ in range(2):
    try:
        importlib.import_module("simulation")
    except Exception as error:
        print(type(error).__name__)
try:
    import simulation
except ImportError:
    print("an optional import would hide the refusal")
"""
    result = run(program, "LIVE")
    assert result.stdout.split() == ["InvalidConfiguration", "InvalidConfiguration"]
    assert result.returncode == 1


@pytest.mark.parametrize("mode", ["PAPER", "SIMULATION", None])
def test_simulation_loads_in_the_other_modes(mode: str | None) -> None:
    result = run("import simulation; print('loaded')", mode)
    assert (result.stdout, result.returncode) == ("loaded\n", 0), result.stderr


@pytest.mark.parametrize("mode", ["SIMULATION", None])
def test_production_broker_cannot_be_loaded_in_simulation(tmp_path: Path, mode: str | None) -> None:
    """The module itself does nothing for it: its package's guard stands before it."""
    result = run(BROKER.format(folder=str(tmp_path), module="ib"), mode)
    assert result.returncode == 1
    assert "loaded" not in result.stdout
    assert (
        "found SIMULATION, in which actors.brokers.ib cannot be loaded; allowed: LIVE, PAPER" in result.stderr
    )


@pytest.mark.parametrize("mode", ["LIVE", "PAPER"])
def test_production_broker_loads_in_live_and_paper(tmp_path: Path, mode: str) -> None:
    result = run(BROKER.format(folder=str(tmp_path), module="ib"), mode)
    assert (result.stdout, result.returncode) == ("loaded\n", 0), result.stderr


def test_broker_with_a_longer_name_is_another_broker(tmp_path: Path) -> None:
    result = run(BROKER.format(folder=str(tmp_path), module="ibis"), "SIMULATION")
    assert (result.stdout, result.returncode) == ("another loaded\n", 0), result.stderr


@pytest.mark.parametrize("package", ["simulation", "actors"])
def test_unknown_mode_loads_neither(package: str) -> None:
    result = run(f"import {package}", "live")
    assert result.returncode == 1
    assert "allowed: LIVE, PAPER, SIMULATION" in result.stderr


def test_guard_stands_once_however_often_it_is_put_up() -> None:
    program = """
import sys, actors, simulation, config.guards
config.guards.install("actors")
print([type(finder).__name__ for finder in sys.meta_path].count("ImportGuard"))
"""
    result = run(program, "SIMULATION")
    assert result.stdout == "1\n", result.stderr


def test_packages_and_guard_load_without_heavy_libraries() -> None:
    heavy = ("pydantic", "yaml", "numpy", "ray")
    program = f"import actors, simulation, sys; print([m for m in {heavy} if m in sys.modules])"
    result = run(program, None)
    assert result.stdout == "[]\n", result.stderr


@pytest.mark.parametrize("mode", TradingMode)
def test_every_forbidden_name_and_what_lies_inside_is_refused(mode: TradingMode) -> None:
    for name in FORBIDDEN[mode]:
        for module in (name, f"{name}.inner"):
            with pytest.raises(ConfigurationError, match=f"found {mode}, in which {module}"):
                refuse_forbidden(module, mode)
        refuse_forbidden(f"{name}x", mode)
    refuse_forbidden("json", mode)


def test_finder_follows_the_environment_at_each_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_MODE", "LIVE")
    with pytest.raises(ConfigurationError, match=r"simulation\.kernel cannot be loaded"):
        ImportGuard().find_spec("simulation.kernel", None)
    assert ImportGuard().find_spec("actors.brokers.ib", None) is None
    monkeypatch.setenv("TRADING_MODE", "SIMULATION")
    assert ImportGuard().find_spec("simulation.kernel", None) is None
    assert ImportGuard().find_spec("json", None) is None


def test_install_puts_the_guard_first_and_judges_its_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [finder for finder in sys.meta_path if not isinstance(finder, ImportGuard)]
    monkeypatch.setattr(sys, "meta_path", list(others))
    monkeypatch.setenv("TRADING_MODE", "LIVE")
    with pytest.raises(ConfigurationError, match="simulation cannot be loaded"):
        install("simulation")
    install("actors")
    assert isinstance(sys.meta_path[0], ImportGuard)
    assert sys.meta_path[1:] == others
