"""Give the commands a real state directory, made by an inline engine on real bars, and call them as a shell does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.app import app

Invoke = Callable[..., Result]


@dataclass(frozen=True, slots=True)
class Traded:
    """Be a state directory that an engine has used, and what `run --json --details` said of it."""

    path: Path
    summary: dict[str, Any]


@pytest.fixture(scope="session")
def invoke() -> Invoke:
    """Return a function that calls `breakwater` with arguments and returns its result."""

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return call


@pytest.fixture(scope="session")
def traded_once(invoke: Invoke, tmp_path_factory: pytest.TempPathFactory) -> Traded:
    """Return 16 months of three symbols, traded by an inline engine; not to be changed."""
    path = tmp_path_factory.mktemp("traded") / "state"
    what = ("--symbols", "AAPL,IBM,MSFT", "--to", "2001-06-29")
    result = invoke("run", "--runtime", "inline", "--fresh", *what, "--state", path, "--json", "--details")
    assert result.exit_code == 0, result.output
    return Traded(path, json.loads(result.stdout))


@pytest.fixture
def traded(traded_once: Traded, tmp_path: Path) -> Traded:
    """Return a copy of the traded state directory, to do with as a test likes."""
    path = tmp_path / "state"
    shutil.copytree(traded_once.path, path)
    return Traded(path, traded_once.summary)
