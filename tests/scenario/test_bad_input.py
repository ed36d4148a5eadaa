"""Bad input is refused in words, with exit code 2 or 4, and starts nothing ("Bad input gets")."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from cli.app import app
from config.loader import SHIPPED
from domain.errors import AuditError
from storage.files import FileLock
from supervisor.ray_environment import MIB, Capacity
from tests.scenario.bars import HEADER, market, rows, write_csv
from tests.scenario.engine import breakwater, request, session
from tests.scenario.settings import write_config

RUNTIMES = ("ray", "inline")
"""Each refusal comes before anything starts, so that asking for Ray costs nothing."""

TICKS = "ts,symbol,bid,ask,bid_size,ask_size\n2015-01-05T10:00:00Z,AAA,1.0,1.1,5,5\n"


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("bars") / "bars.csv", rows(market(sessions=60)))


def run(state: Path, *options: object) -> Result:
    return CliRunner().invoke(app, ["run", "--state", str(state), *(str(option) for option in options)])


def assert_refused(result: Result, code: int, *words: str) -> None:
    assert result.exit_code == code, result.output
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


OPTIONS = {
    "unknown runtime": (("--runtime", "dask"), 2, ("--runtime", "'dask'", "ray, inline")),
    "negative speed": (("--speed", "-1"), 2, ("--speed", "-1", "allowed: 0")),
    "speed that is no number": (("--speed", "nan"), 2, ("--speed", "nan", "allowed: 0")),
    "endless speed": (("--speed", "inf"), 2, ("--speed", "inf", "1,000,000")),
    "speed in words": (("--speed", "fast"), 2, ("--speed",)),
    "no symbols": (("--symbols", ""), 2, ("--symbols", "''", "separated by commas")),
    "an empty symbol": (("--symbols", "AAA,"), 2, ("--symbols", "'AAA,'")),
    "a symbol twice": (("--symbols", "AAA,AAA"), 2, ("--symbols", "AAA", "once")),
    "absent symbol": (("--symbols", "AAA,ZZZ"), 4, ("bars.csv", "ZZZ", "available: AAA, BBB, CCC")),
    "no date": (("--from", "2015-13-01"), 2, ("--from", "'2015-13-01'", "YYYY-MM-DD")),
    "no date either": (("--to", "tomorrow"), 2, ("--to", "'tomorrow'", "YYYY-MM-DD")),
    "from after to": (
        ("--from", "2015-03-01", "--to", "2015-02-01"),
        2,
        ("--from", "2015-03-01", "after", "--to 2015-02-01", "allowed"),
    ),
    "from after the bars": (("--from", "2019-01-01"), 4, ("bars.csv", "2019-01-01", "end on 2015-03-31")),
    "to before the bars": (("--to", "2010-01-01"), 4, ("bars.csv", "2010-01-01")),
    "unknown option": (("--simbols", "AAA"), 2, ("--simbols",)),
    "absent configuration": (
        ("--config", "/nowhere/at/all"),
        4,
        ("/nowhere/at/all", "name a readable directory"),
    ),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_option_out_of_place_is_refused_before_anything_starts(case: str, bars: Path, tmp_path: Path) -> None:
    options, code, words = OPTIONS[case]
    assert_refused(run(tmp_path / "state", "--data", bars, *options), code, *words)
    assert not (tmp_path / "state").exists()


def write_truncated(path: Path) -> None:
    """Write the first half of a stored bar file."""
    session(request(write_csv(path.with_name("some.csv"), rows(market(sessions=30))), path.with_name("once")))
    whole = (path.with_name("once") / "bars.parquet").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


FILES: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "absent.csv": (lambda path: None, ("no such file",)),
    "empty.csv": (lambda path: path.write_text(""), ("empty",)),
    "header.csv": (lambda path: path.write_text(f"{HEADER}\n"), ("a header without rows",)),
    "text.csv": (
        lambda path: path.write_text("dear diary\nno bars today\n"),
        ("columns found: 'dear diary'", "layouts"),
    ),
    "ticks.csv": (lambda path: path.write_text(TICKS), ("looks like quote ticks", "layouts")),
    "truncated.parquet": (write_truncated, ("not a readable Parquet file",)),
    "noise.parquet": (
        lambda path: path.write_bytes(bytes(range(256)) * 20),
        ("neither Parquet nor text",),
    ),
    "a folder": (lambda path: path.mkdir(), ()),
}


@pytest.mark.parametrize("name", FILES)
def test_file_without_bars_is_refused_with_its_name(name: str, tmp_path: Path) -> None:
    make, words = FILES[name]
    make(tmp_path / name)
    result = run(tmp_path / "state", "--data", tmp_path / name)
    assert_refused(result, 4, str(tmp_path / name))
    assert not words or any(word in result.stderr for word in words)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("symbol", "words"),
    [
        ("XRP/USDT:USDT", ("XRP/USDT:USDT", "perpetual", "leave it out of --symbols")),
        ("ETH/BTC", ("ETH/BTC", "trades in BTC", "kept in USD", "account.currency", "leave it out")),
    ],
)
def test_symbol_that_cannot_be_traded_is_refused_with_the_reason(
    symbol: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    lines = [f"2024-01-{day:02},{symbol},1,1.1,0.9,1,1000" for day in range(2, 28)]
    result = run(tmp_path / "state", "--data", write_csv(tmp_path / "bars.csv", lines))
    assert_refused(result, 4, *words)
    assert not (tmp_path / "state").exists()


def strategies(directory: Path, key: str, value: object) -> Path:
    """Write strategies.yaml with `value` at `key` of the first strategy."""
    directory.mkdir()
    document = yaml.safe_load((SHIPPED / "strategies.yaml").read_text(encoding="utf-8"))
    document["strategies"][0][key] = value
    (directory / "strategies.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return directory


CONFIGURATIONS: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "strategy": (
        lambda path: strategies(path, "strategy", "momentun"),
        ("strategies.yaml", "'momentun'", "did you mean momentum", "mean_reversion, momentum, vwap"),
    ),
    "parameter": (
        lambda path: strategies(path, "parameters", {"lookbak": 20}),
        ("strategies.yaml", "parameters.lookbak", "did you mean lookback"),
    ),
    "key": (
        lambda path: write_config(path, "risk_management.yaml", {"max_dayly_loss": 0.02}),
        ("risk_management.yaml", "max_dayly_loss", "did you mean max_daily_loss"),
    ),
    "two values": (
        lambda path: write_config(
            path, "risk_management.yaml", {"max_daily_loss": -1, "exposure.gross": "much"}
        ),
        ("2 faults", "max_daily_loss", "exposure.gross", "'much'"),
    ),
}


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_configuration_is_refused_with_file_key_and_what_is_allowed(
    case: str, bars: Path, tmp_path: Path
) -> None:
    make, words = CONFIGURATIONS[case]
    result = run(tmp_path / "state", "--data", bars, "--config", make(tmp_path / "config"))
    assert_refused(result, 4, *words)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("mode", ["LIVE", "PAPER", "live", ""])
def test_mode_that_may_not_run_is_refused_by_the_real_command(mode: str, bars: Path, tmp_path: Path) -> None:
    """LIVE cannot even load the simulation, which the commands are made of: still a refusal, no stack trace (C1)."""
    done = breakwater("run", "--data", bars, "--state", tmp_path / "state", env={"TRADING_MODE": mode})
    assert done.returncode == 4
    assert "TRADING_MODE" in done.stderr
    assert "SIMULATION" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "state").exists()


def test_library_that_cannot_be_imported_is_named(bars: Path, tmp_path: Path) -> None:
    place = tmp_path / "broken"
    (place / "talib").mkdir(parents=True)
    (place / "talib" / "__init__.py").write_text(
        "raise ImportError('libta-lib.so.0: cannot open shared object file')\n"
    )
    done = breakwater("run", "--data", bars, "--state", tmp_path / "state", env={"PYTHONPATH": str(place)})
    assert done.returncode == 4, done.stderr
    assert "TA-Lib cannot be imported (libta-lib.so.0" in done.stderr
    assert "pip install TA-Lib" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "state").exists()


def test_too_little_shared_memory_is_said_before_anything_is_made(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Capacity(memory=8_192 * MIB, shared=64 * MIB)
    monkeypatch.setattr("supervisor.ray_environment.measure_capacity", lambda: small)
    result = run(tmp_path / "state", "--data", bars, "--runtime", "ray")
    assert_refused(result, 4, "/dev/shm has 64 MiB free", "--shm-size")
    assert not (tmp_path / "state").exists()
    done = session(request(bars, tmp_path / "done"))
    assert done["completed"]
    assert run(tmp_path / "done", "--data", bars, "--runtime", "ray").exit_code == 0, (
        "it has nothing to start"
    )


def test_ray_that_cannot_be_imported_is_said_before_anything_is_made(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken" / "ray"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('libgrpc.so.9: cannot open shared object file')\n")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    result = run(tmp_path / "state", "--data", bars, "--runtime", "ray")
    assert_refused(
        result,
        4,
        "Ray cannot be imported",
        "libgrpc.so.9",
        "make clean setup",
        "or run with --runtime inline",
    )
    assert not (tmp_path / "state").exists()


# --- the state directory -------------------------------------------------------------------------------------------


def test_directory_in_use_is_refused_with_its_holder(bars: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    session(request(bars, state), stop_at_look=0)
    lock = FileLock(state / "lock")
    assert lock.take("process 4711 on elsewhere") is None
    try:
        result = run(state, "--data", bars)
    finally:
        lock.release()
    assert_refused(result, 4, str(state), "process 4711 on elsewhere", "--state DIR")


@pytest.mark.parametrize("fresh", [(), ("--fresh",)])
def test_directory_of_somebody_else_is_left_alone(fresh: tuple[str, ...], bars: Path, tmp_path: Path) -> None:
    state = tmp_path / "documents"
    state.mkdir()
    (state / "thesis.txt").write_text("years of work")
    assert_refused(run(state, "--data", bars, *fresh), 4, "no state directory", "thesis.txt", "--state DIR")
    assert [path.name for path in state.iterdir()] == ["thesis.txt"]


def test_file_in_the_place_of_a_directory_is_refused(bars: Path, tmp_path: Path) -> None:
    assert_refused(run(bars, "--data", bars), 4, str(bars), "not a directory")


def test_directory_that_cannot_be_written_is_refused(bars: Path, tmp_path: Path) -> None:
    place = Path("/proc/breakwater") if os.geteuid() == 0 else tmp_path / "locked"
    if os.geteuid() != 0:
        place.mkdir(mode=0o500)
        place = place / "state"
    assert_refused(run(place, "--data", bars), 4, str(place), "cannot be used")


SPOILED = [
    "gateway.db",
    "risk.db",
    "coordinator.db",
    "feed.db",
    "venue/venue.db",
    "session.json",
    "bars.parquet",
    "breakwater.json",
]


@pytest.mark.parametrize("way", ["noise", "empty", "missing"])
@pytest.mark.parametrize("name", SPOILED)
def test_spoiled_state_file_is_named_with_what_to_do(
    name: str, way: str, bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a session that goes on from half of what it knew."""
    monkeypatch.setattr("cli.inline_engine._SLICE", 3)
    state = tmp_path / "state"
    assert session(request(bars, state), stop_at_look=200)["bars"] > 0
    if way == "missing":
        (state / name).unlink()
    else:
        (state / name).write_bytes(b"\xffnoise" * 500 if way == "noise" else b"")
    for runtime in RUNTIMES:
        before = sorted(str(path) for path in state.rglob("*.db"))
        result = run(state, "--data", bars, "--runtime", runtime)
        assert_refused(result, 4, str(state))
        assert name.rpartition("/")[2] in result.stderr or name == "breakwater.json"
        assert "--fresh" in result.stderr or name == "breakwater.json"
        assert sorted(str(path) for path in state.rglob("*.db")) == before, "something was begun anew"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_trail_signed_with_another_key_is_not_gone_on_with(
    runtime: str, bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.inline_engine._SLICE", 3)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "first home"))
    state = tmp_path / "state"
    session(request(bars, state), stop_at_look=200)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "second home"))
    assert_refused(run(state, "--data", bars, "--runtime", runtime), 4, "no audit key", "second home")
    assert not (tmp_path / "second home").exists(), "no key is made for a trail that has one"
    monkeypatch.setenv("BREAKWATER_AUDIT_KEY", "ab" * 32)
    result = run(state, "--data", bars, "--runtime", runtime)
    assert_refused(result, AuditError.exit_code, "checkpoints.jsonl", "but the key at hand is")
