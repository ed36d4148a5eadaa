from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from domain.strategies.momentum import MOMENTUM
from domain.strategies.registry import BUILT_IN, ENTRY_POINT_GROUP, discover
from tests.unit.config.test_strategy_files import GOOD, write


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=ENTRY_POINT_GROUP)


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


def test_registry_with_more_names_their_origin_and_refuses_a_name_in_use() -> None:
    registry = discover([]).adding([replace(MOMENTUM, name="mine")], "mine.py")
    assert registry.origins["mine"] == "mine.py"
    with pytest.raises(
        ConfigurationError, match=r"other\.py: strategy 'mine' exists \(mine\.py\); rename yours"
    ):
        registry.adding([replace(MOMENTUM, name="mine", summary="another")], "other.py")
