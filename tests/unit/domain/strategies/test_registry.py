from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from domain.strategies.momentum import MOMENTUM
from domain.strategies.registry import BUILT_IN, ENTRY_POINT_GROUP, discover, from_file

GOOD = """
from __future__ import annotations
from dataclasses import dataclass
import numpy as np
from domain.strategies.momentum import MOMENTUM
from domain.strategies.protocol import Range, SignalArrays, StrategyDefinition

@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    wait: int = 2

def _signals(bars, params):
    return SignalArrays(np.ones(len(bars), np.int8), np.full(len(bars), 0.9))

ALWAYS = StrategyDefinition(
    name="always", summary="Always long.", source="none", parameters=Parameters,
    ranges={"wait": Range(1, 5, 1)}, warmup=lambda params: params.wait, signals=_signals,
)
"""


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=ENTRY_POINT_GROUP)


def write(folder: Path, text: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_built_in_strategies_are_there_without_any_distribution() -> None:
    registry = discover([])
    assert sorted(registry.definitions) == ["mean_reversion", "momentum", "vwap"]
    assert set(registry.origins.values()) == {"built in"}
    assert registry.get("momentum") is MOMENTUM
    assert registry.problems == ()


def test_installed_entry_points_are_read() -> None:
    assert {d.name for d in BUILT_IN} <= set(discover().definitions)


def test_entry_points_that_name_the_built_in_ones_are_no_clash() -> None:
    registry = discover([point("momentum", "domain.strategies.momentum:MOMENTUM")])
    assert (registry.problems, registry.origins["momentum"]) == ((), "built in")


def test_package_adds_a_strategy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, GOOD, "package_of_a_user.py")
    monkeypatch.syspath_prepend(tmp_path)
    registry = discover([point("always", "package_of_a_user:ALWAYS")])
    assert registry.get("always").name == "always"
    assert registry.origins["always"] == "entry point always = package_of_a_user:ALWAYS"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("no_such_module_at_all:X", "does not load: ModuleNotFoundError"),
        ("domain.strategies.momentum:NOTHING", "does not load: AttributeError"),
        ("domain.strategies.momentum:MomentumParameters", "it is a type; a StrategyDefinition is needed"),
        ("unsound_package:ALWAYS", "warmup of the default parameters is 0"),
        ("clashing_package:ALWAYS", "the name 'momentum' is taken: built in"),
    ],
)
def test_entry_point_that_cannot_be_used_is_reported_and_the_rest_stays(
    value: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, GOOD.replace("params.wait", "0"), "unsound_package.py")
    write(tmp_path, GOOD.replace('"always"', '"momentum"'), "clashing_package.py")
    monkeypatch.syspath_prepend(tmp_path)
    registry = discover([point("bad", value)])
    assert len(registry.problems) == 1
    assert f"entry point bad = {value}" in registry.problems[0]
    assert text in registry.problems[0]
    assert registry.get("momentum") is MOMENTUM
    with pytest.raises(ConfigurationError, match="entry point bad"):
        registry.get("always")


def test_unknown_strategy_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(
        ConfigurationError, match="'momentun' is unknown; there are mean_reversion, momentum, vwap"
    ):
        discover([]).get("momentun")


def test_file_adds_its_own_strategies_and_not_those_it_imports(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD, "config.py")
    registry = discover([]).with_file(path)
    assert sorted(registry.definitions) == ["always", "mean_reversion", "momentum", "vwap"]
    assert registry.origins["always"] == str(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "no strategy found"),
        ("from domain.strategies.momentum import MOMENTUM\n", "no strategy found"),
        ("x = 1\ndef broken(:\n", r"line 2: SyntaxError"),
        ("x = 1\ny = 1 / 0\n", r"line 2: ZeroDivisionError: division by zero"),
        ("import no_such_module_at_all\n", r"line 1: ModuleNotFoundError"),
        ("raise SystemExit(3)\n", r"line 1: SystemExit"),
        (GOOD.replace("frozen=True, ", ""), "always: Parameters is not frozen"),
        (GOOD.replace("ranges={", "ranges={} and {"), "always: parameter wait is a number without a range"),
        (
            GOOD + "\nfrom dataclasses import replace\nSECOND = replace(ALWAYS, summary='other')\n",
            "two strategies are named",
        ),
    ],
)
def test_file_that_cannot_be_used_is_refused_by_name_with_what_was_found(
    text: str, message: str, tmp_path: Path
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        from_file(path)
    assert str(path) in str(caught.value)


def test_missing_file_directory_and_other_suffix_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing\.py: does not exist"):
        from_file(tmp_path / "nothing.py")
    with pytest.raises(ConfigurationError, match="is a directory"):
        from_file(tmp_path)
    with pytest.raises(ConfigurationError, match=r"must end in \.py"):
        from_file(write(tmp_path, GOOD, "mine.txt"))


def test_file_with_a_name_in_use_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace('"always"', '"vwap"'))
    with pytest.raises(
        ConfigurationError, match=r"mine\.py: strategy 'vwap' exists \(built in\); rename yours"
    ):
        discover([]).with_file(path)
