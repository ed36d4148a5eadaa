from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from domain.errors import ConfigurationError
from domain.strategies.momentum import MOMENTUM, MomentumParameters
from domain.strategies.protocol import Range
from domain.strategies.registry import BUILT_IN
from domain.strategies.validation import instance_of, parameters_from, problems
from domain.strategies.vwap import VWAP, Anchor


@dataclass
class Thawed:
    size: int = 5


@dataclass(frozen=True)
class Bare:
    size: int


@dataclass(frozen=True)
class Odd:
    sizes: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Mixed:
    size: int = 5
    careful: bool = True
    label: str = "a"


RANGES = {"size": Range(1, 10, 1)}


@pytest.mark.parametrize("definition", BUILT_IN, ids=[d.name for d in BUILT_IN])
def test_built_in_definitions_are_sound(definition: Any) -> None:
    assert problems(definition) == []


def test_text_and_truth_need_no_range() -> None:
    assert problems(replace(MOMENTUM, parameters=Mixed, ranges=RANGES, warmup=lambda p: p.size)) == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": "My Strategy"}, "name is 'My Strategy'; lower case"),
        ({"name": ""}, "name is ''"),
        ({"summary": " "}, "summary is empty"),
        ({"source": ""}, "source is empty"),
        ({"signals": None}, "signals is None; a function"),
        ({"warmup": 5}, "warmup is 5; a function"),
        ({"parameters": dict}, "parameters is <class 'dict'>; a frozen dataclass"),
        ({"parameters": MomentumParameters()}, "a frozen dataclass type is needed"),
        ({"parameters": Thawed, "ranges": RANGES}, "Thawed is not frozen"),
        ({"parameters": Bare, "ranges": RANGES}, "size has no default"),
        ({"parameters": Odd, "ranges": {}}, r"parameter sizes is \[\]"),
        ({"ranges": {}}, "parameter lookback is a number without a range"),
        ({"ranges": MOMENTUM.ranges | {"depth": Range(1, 2, 1)}}, "'depth', which is no numeric parameter"),
        (
            {"ranges": MOMENTUM.ranges | {"lookback": Range(100, 200, 1)}},
            "default of lookback is 60; its range is 100",
        ),
        ({"ranges": MOMENTUM.ranges | {"lookback": Range(200, 100, 1)}}, "low <= high"),
        ({"ranges": MOMENTUM.ranges | {"lookback": Range(1, float("inf"), 1)}}, "finite"),
        ({"ranges": MOMENTUM.ranges | {"lookback": Range(1, 100, 0)}}, "step > 0"),
        (
            {"warmup": lambda params: 0},
            "warmup of the default parameters is 0; a whole number of bars, at least 1",
        ),
        ({"warmup": lambda params: 2.5}, "is 2.5; a whole number"),
        ({"warmup": lambda params: params.depth}, "raises AttributeError"),
    ],
)
def test_unsound_definition_is_told_what_is_wrong(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        raise ConfigurationError("\n".join(problems(replace(MOMENTUM, **changes))))


def test_parameters_take_values_and_keep_defaults() -> None:
    params = parameters_from(MOMENTUM, {"lookback": 20, "threshold": 1}, "config/strategies.yaml:a")
    assert params == MomentumParameters(lookback=20, threshold=1.0)
    assert type(params.threshold) is float


def test_choice_is_made_from_its_text() -> None:
    assert parameters_from(VWAP, {"anchor": "session"}, "f").anchor is Anchor.SESSION


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"depth": 1}, "f.depth: unknown; momentum has lookback, span, threshold"),
        ({"lookback": 4}, "f.lookback: found 4; allowed: 5 to 260"),
        ({"lookback": 261}, "f.lookback: found 261"),
        ({"lookback": 20.5}, "found 20.5; allowed: a whole number from 5 to 260"),
        ({"lookback": True}, "found True; allowed: a whole number"),
        ({"lookback": "20"}, "found '20'; allowed: a whole number"),
        ({"threshold": "low"}, "found 'low'; allowed: a number from 0 to 2"),
        ({"threshold": float("nan")}, "found nan; allowed: 0 to 2"),
        ({"threshold": None}, "found None"),
    ],
)
def test_bad_parameter_is_refused_with_key_value_and_what_is_allowed(
    values: dict[str, object], text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        parameters_from(MOMENTUM, values, "f")


def test_every_bad_parameter_is_listed_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parameters_from(VWAP, {"anchor": "week", "period": 0, "speed": 1, "span": 1.0}, "f")
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["f.anchor", "f.period", "f.speed"]
    assert "found 'week'; allowed: session, rolling, auto" in lines[0]


def test_wrong_type_of_text_or_truth_is_refused() -> None:
    mixed = replace(MOMENTUM, parameters=Mixed, ranges=RANGES)
    with pytest.raises(
        ConfigurationError, match="found 1; a bool is needed\nf.label: found 3; a str is needed"
    ):
        parameters_from(mixed, {"careful": 1, "label": 3}, "f")


def test_instance_carries_id_parameters_and_warmup() -> None:
    instance = instance_of("slow", MOMENTUM, {"lookback": 120}, "f")
    assert (instance.strategy_id, instance.warmup, instance.parameters.lookback) == ("slow", 120, 120)
