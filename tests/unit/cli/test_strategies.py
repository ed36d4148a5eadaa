from __future__ import annotations

import json

import pytest

from domain.strategies.protocol import StrategyDefinition
from domain.strategies.registry import BUILT_IN
from tests.unit.cli.conftest import Invoke


def test_every_strategy_is_listed_with_its_parameters(invoke: Invoke) -> None:
    report = json.loads(invoke("strategies", "list", "--json").stdout)
    listed = {each["name"]: each for each in report["strategies"]}
    assert set(listed) >= {definition.name for definition in BUILT_IN}
    momentum = listed["momentum"]
    lookback = {
        "name": "lookback",
        "default": 60,
        "allowed": "a whole number from 5 to 260",
        "low": 5,
        "high": 260,
        "step": 5,
    }
    assert momentum["parameters"][0] == lookback
    assert (momentum["origin"], momentum["warmup_bars"]) == ("built in", 60)
    for each in listed.values():
        assert all(each[name] for name in ("summary", "source", "origin", "parameters"))


def test_instances_have_all_parameters_and_name_their_books(invoke: Invoke) -> None:
    report = json.loads(invoke("strategies", "list", "--json").stdout)
    instances = {each["id"]: each for each in report["instances"]}
    fast = instances["momentum_fast"]
    assert (fast["strategy"], fast["books"], fast["symbols"]) == ("momentum", ["main"], None)
    assert fast["parameters"] == {"lookback": 20, "threshold": 0.25, "span": 1.25}
    assert (fast["changed"], fast["warmup_bars"]) == (["lookback"], 20)


@pytest.mark.parametrize("definition", BUILT_IN, ids=lambda definition: definition.name)
def test_people_see_name_source_defaults_and_ranges(invoke: Invoke, definition: StrategyDefinition) -> None:
    text = invoke("strategies", "list").stdout
    report = json.loads(invoke("strategies", "list", "--json").stdout)
    (each,) = (each for each in report["strategies"] if each["name"] == definition.name)
    for part in (each["name"], each["summary"], each["source"]):
        assert part in text
    section = text[text.index(each["source"]) :]
    for parameter in each["parameters"]:
        (row, *_) = (line for line in section.splitlines() if line.split()[:1] == [parameter["name"]])
        assert row.split()[1] == str(parameter["default"])
        assert parameter["allowed"] in row
