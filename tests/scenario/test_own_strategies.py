"""Strategies of a user's own file: judged before anything is made, and held to for the whole session."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from actors.strategy_roles import strategy_instance
from cli.opening import RunRequest
from config.loader import SHIPPED
from domain.errors import ConfigurationError
from tests.scenario.bars import market, rows, write_csv
from tests.scenario.engine import breakwater, request, session
from tests.scenario.test_bad_input import RUNTIMES, assert_refused, run


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("bars") / "bars.csv", rows(market(sessions=60)))


MINE = """from dataclasses import dataclass

import numpy as np

from domain.strategies.protocol import Range, SignalArrays, StrategyDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    days: int = 5


MINE = StrategyDefinition(
    name="mine",
    summary="Abstain.",
    source="a test",
    parameters=Parameters,
    ranges={"days": Range(1, 9, 1)},
    warmup=lambda parameters: 1,
    signals=lambda bars, parameters: SignalArrays(
        np.zeros(len(bars.close), np.int8), np.zeros(len(bars.close)), np.zeros(len(bars.close), np.int8)
    ),
)
"""


def own_strategy(directory: Path, source: str | None, parameters: dict[str, object] | None = None) -> Path:
    """Make the first strategy of strategies.yaml that of `mine.py`, write it, and return the directory."""
    directory.mkdir(exist_ok=True)
    document = yaml.safe_load((SHIPPED / "strategies.yaml").read_text(encoding="utf-8"))
    document["strategies"][0] |= {"strategy": "mine", "file": "mine.py", "parameters": parameters or {}}
    (directory / "strategies.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    if source is not None:
        (directory / "mine.py").write_text(source, encoding="utf-8")
    return directory


OWN = {
    "absent": (None, ("mine.py", "no such file")),
    "does not run": ("raise RuntimeError('early')\n", ("mine.py, line 1", "RuntimeError: early")),
    "is no Python": ("def\n", ("mine.py, line 1", "SyntaxError")),
    "defines none": ("MINE = 1\n", ("mine.py", "no strategy found")),
    "ends its process": ("import os\nos._exit(0)\n", ("mine.py", "ended the process", "exit code 0")),
    "crashes its process": ("import os\nos.abort()\n", ("mine.py", "ended the process", "signal 6")),
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("case", OWN)
def test_strategy_file_that_cannot_be_used_is_refused_before_anything_is_made(
    case: str, runtime: str, bars: Path, tmp_path: Path
) -> None:
    source, words = OWN[case]
    config = own_strategy(tmp_path / "config", source)
    result = run(tmp_path / "state", "--data", bars, "--runtime", runtime, "--config", config)
    assert_refused(result, 4, "strategies.yaml", *words)
    assert not (tmp_path / "state").exists()


def test_parameters_that_a_strategy_of_ones_own_refuses_are_refused_before_anything_is_made(
    bars: Path, tmp_path: Path
) -> None:
    config = own_strategy(tmp_path / "config", MINE, {"days": 12})
    assert_refused(run(tmp_path / "state", "--data", bars, "--config", config), 4, "days", "from 1 to 9")
    assert not (tmp_path / "state").exists()


def test_strategy_that_ends_its_process_while_it_trades_does_not_end_an_inline_run_as_if_all_were_well(
    bars: Path, tmp_path: Path
) -> None:
    """It is one that raises: its evaluations fail, and are told. On Ray it ends a process of its own."""
    source = MINE.replace(
        "signals=lambda bars, parameters: SignalArrays(", "signals=lambda bars, parameters: leave("
    )
    config = own_strategy(tmp_path / "config", f"import os\n\ndef leave(*_):\n    os._exit(0)\n\n{source}")
    state = tmp_path / "state"
    done = breakwater(
        *("run", "--data", bars, "--state", state, "--config", config, "--runtime", "inline", "--json")
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["completed"]
    told = breakwater("audit", "query", "--state", state, "--text", "os._exit(0) was called", "--json")
    assert json.loads(told.stdout)["shown"] > 0


# --- what a session is held to -------------------------------------------------------------------------------------


def begun(state: Path, bars: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> RunRequest:
    """Return the request of a session that was stopped half-way."""
    monkeypatch.setattr("cli.inline_engine._SLICE", 3)
    asked = request(bars, state, config=config)
    stopped = session(asked, stop_at_look=200)
    assert 0 < stopped["bars"] < 60
    return asked


def test_strategy_file_that_changed_is_named_and_the_session_refused(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration names the file, and its values are the same: the code is held to besides."""
    config = own_strategy(tmp_path / "config", MINE)
    asked = begun(tmp_path / "state", bars, config, monkeypatch)
    own_strategy(
        config,
        MINE.replace("np.zeros(len(bars.close), np.int8), np", "np.ones(len(bars.close), np.int8), np"),
    )
    for runtime in RUNTIMES:
        result = run(asked.state, "--data", bars, "--config", config, "--runtime", runtime)
        assert_refused(result, 4, f"the strategy file {config / 'mine.py'} changed", "--fresh")
    own_strategy(config, MINE)
    assert session(asked)["completed"]


def test_session_from_before_code_was_kept_is_resumed_as_it_was(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = own_strategy(tmp_path / "config", MINE)
    asked = begun(tmp_path / "state", bars, config, monkeypatch)
    file = asked.state / "session.json"
    kept = json.loads(file.read_bytes())
    assert kept.pop("code") == {"mine.py": hashlib.sha256(MINE.encode()).hexdigest()}
    file.write_text(json.dumps(kept), encoding="utf-8")
    own_strategy(config, MINE + "# another comment\n")
    assert session(asked)["completed"]


def test_file_changed_while_the_session_runs_is_not_loaded(tmp_path: Path) -> None:
    """A strategy that is started anew goes on with the code that the session was begun with, or not at all."""
    path = own_strategy(tmp_path / "config", MINE) / "mine.py"
    arguments = {"strategy_id": "a", "strategy": "mine", "parameters": {}, "file": str(path)}
    digest = hashlib.sha256(MINE.encode()).hexdigest()
    assert strategy_instance({**arguments, "digest": digest}).definition.name == "mine"
    path.write_text("raise AssertionError('it was executed')\n", encoding="utf-8")
    with pytest.raises(
        ConfigurationError, match=r"mine\.py: changed since this session was begun; .*--fresh"
    ):
        strategy_instance({**arguments, "digest": digest})
