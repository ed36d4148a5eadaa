"""Share what every test may use: sizes, the real data, markers, hypothesis profiles."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.isolation import private_environment
from tests.real_data import data_directory
from tests.sizes import PROVE, prove_size

settings.register_profile(
    "breakwater",
    max_examples=prove_size(100, 5_000),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("breakwater")


_HOME = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Give the run an environment and a home folder of its own, for its subprocesses too."""
    home = Path(tempfile.mkdtemp(prefix="breakwater-home-"))
    config.stash[_HOME] = home
    environment = private_environment(os.environ, home)
    os.environ.clear()
    os.environ.update(environment)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the home folder of the run."""
    shutil.rmtree(config.stash[_HOME], ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--real-api`, without which nothing talks to a broker."""
    parser.addoption(
        "--real-api", action="store_true", help="run the tests marked real_api against a real paper account"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what lies under tests/actor as needing Ray; skip what was not asked for.

    Where pytest-xdist shares the tests out, those that start Ray stay together: two at once would take each other's
    processes and files for leftovers.
    """
    real_api = config.getoption("--real-api")
    for item in items:
        if "actor" in item.path.parts:
            item.add_marker(pytest.mark.ray)
        if item.get_closest_marker("ray") and config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group("ray"))
        if item.get_closest_marker("prove") and not PROVE:
            item.add_marker(pytest.mark.skip(reason="full size only: run `make prove`"))
        if item.get_closest_marker("real_api") and not real_api:
            item.add_marker(pytest.mark.skip(reason="needs a real paper account: run pytest --real-api"))


@pytest.fixture(scope="session")
def data_file() -> Callable[[str], Path]:
    """Return a function from a file's name (`us_equity_1d.parquet`) to its path; it skips the test where absent."""

    def find(name: str) -> Path:
        folder = data_directory()
        if folder is None or not (folder / name).is_file():
            pytest.skip(f"real data file {name} is absent: set BREAKWATER_DATA to the folder that has it")
        return folder / name

    return find
