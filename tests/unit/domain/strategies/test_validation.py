from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from domain.strategies.momentum import MOMENTUM, MomentumParameters
from domain.strategies.protocol import Range
from domain.strategies.registry import BUILT_IN
from domain.strategies.validation import problems


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


@dataclass(frozen=True)
class Unreadable:
    size: NowhereDefined = 5  # type: ignore[name-defined]  # noqa: F821


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
        ({"parameters": Unreadable, "ranges": RANGES}, "cannot be read: name 'NowhereDefined'"),
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
    assert re.search(text, "\n".join(problems(replace(MOMENTUM, **changes))))
