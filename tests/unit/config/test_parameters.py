"""Judge strategies' parameters by what the registry says of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from config.documents import Document
from config.loader import load
from config.parameters import instance_parameters, make_parameters, parameter_violations
from config.violations import InvalidConfiguration, Violation
from domain.bars import SymbolBars
from domain.strategies.protocol import Range, SignalArrays, StrategyDefinition


class Anchor(StrEnum):
    """Name where an average begins."""

    SESSION = "session"
    ROLLING = "rolling"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossParameters:
    """Be parameters of every type."""

    fast: int = 10
    slow: int = 50
    width: float = 2.0
    strict: bool = False
    anchor: Anchor = Anchor.SESSION
    price: Literal["close", "typical"] = "close"
    label: str = "x"

    def __post_init__(self) -> None:
        """Tie the windows together."""
        if self.fast >= self.slow:
            raise ValueError(f"fast ({self.fast}) must be below slow ({self.slow})")


def silent(bars: SymbolBars, params: Any) -> SignalArrays:
    """Abstain on every bar."""
    return SignalArrays(np.zeros(len(bars), dtype=np.int8), np.zeros(len(bars)))


CROSS = StrategyDefinition(
    name="cross",
    summary="Cross.",
    source="a test",
    parameters=CrossParameters,
    ranges={"fast": Range(2, 100, 1), "slow": Range(5, 500, 5), "width": Range(0.5, 4.0, 0.5)},
    warmup=lambda params: int(params.slow),
    signals=silent,
)
REGISTRY = {"cross": CROSS}


def found(*items: object, own_files: bool = False) -> list[Violation]:
    """Return what is wrong with these instances."""
    document = Document("strategies.yaml", {"strategies": items}, {}, ())
    return list(parameter_violations(document, REGISTRY, own_files=own_files))


def given_parameters(**parameters: object) -> list[Violation]:
    """Return what is wrong with these parameters."""
    return found({"id": "a", "strategy": "cross", "parameters": parameters})


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("fast", "10", "a whole number from 2 to 100"),
        ("fast", 10.0, "a whole number from 2 to 100"),
        ("fast", True, "a whole number from 2 to 100"),
        ("fast", None, "a whole number from 2 to 100"),
        ("fast", 1, "a whole number from 2 to 100"),
        ("fast", 101, "a whole number from 2 to 100"),
        ("fast", -5, "a whole number from 2 to 100"),
        ("fast", 10**30, "a whole number from 2 to 100"),
        ("width", "2", "a number from 0.5 to 4"),
        ("width", math.nan, "a number from 0.5 to 4"),
        ("width", math.inf, "a number from 0.5 to 4"),
        ("width", 0.49, "a number from 0.5 to 4"),
        ("width", 4.01, "a number from 0.5 to 4"),
        ("width", False, "a number from 0.5 to 4"),
        ("strict", 1, "true or false"),
        ("strict", "true", "true or false"),
        ("anchor", "week", "one of session, rolling"),
        ("anchor", 1, "one of session, rolling"),
        ("price", "open", "one of close, typical"),
        ("label", 3, "text"),
    ],
)
def test_parameter_of_a_wrong_type_or_out_of_range_is_named(name: str, value: object, allowed: str) -> None:
    (violation,) = given_parameters(**{name: value})
    assert violation.key == f"strategies[0].parameters.{name}"
    assert violation.allowed == f"allowed: {allowed}"


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"fast": 2, "slow": 500},
        {"fast": 49},
        {"width": 4},
        {"width": 0.5, "strict": True, "anchor": "rolling", "price": "typical", "label": "y"},
    ],
)
def test_parameters_at_their_edges_are_accepted(parameters: dict[str, object]) -> None:
    assert given_parameters(**parameters) == []


def test_unknown_parameter_is_refused_and_the_nearest_named() -> None:
    (violation,) = given_parameters(fats=3)
    assert str(violation) == (
        "strategies.yaml: strategies[0].parameters.fats: found an unknown parameter; did you mean fast? "
        "cross has: fast, slow, width, strict, anchor, price, label"
    )


def test_parameters_that_the_strategy_refuses_together_are_named() -> None:
    (violation,) = given_parameters(fast=60)
    assert violation.key == "strategies[0].parameters"
    assert violation.allowed == "cross refuses these together: fast (60) must be below slow (50)"


def test_unknown_strategy_is_refused_with_the_known_ones() -> None:
    (violation,) = found({"id": "a", "strategy": "cros", "parameters": {}})
    assert (
        str(violation)
        == "strategies.yaml: strategies[0].strategy: found 'cros'; did you mean cross? known: cross"
    )


def test_strategy_of_a_users_file_is_judged_once_its_file_is_loaded() -> None:
    item = {"id": "a", "strategy": "mine", "parameters": {"x": 1}, "file": "mine.py"}
    assert found(item) == []
    assert [v.key for v in found(item, own_files=True)] == ["strategies[0].strategy"]


def test_malformed_instances_are_left_to_their_own_faults() -> None:
    assert found(5, {"strategy": 3}, {"strategy": "cross", "parameters": [1]}, {"strategy": "cross"}) == []
    for data in (None, 5, {}, {"strategies": 5}):
        assert list(parameter_violations(Document("strategies.yaml", data, {}, ()), REGISTRY)) == []


def test_all_faults_of_all_instances_come_at_once() -> None:
    items = [{"id": "a", "strategy": "cross", "parameters": {"fast": 0, "slow": 0, "z": 1}}] * 2
    assert len(found(*items)) == 6


def test_made_parameters_have_the_types_of_their_fields() -> None:
    made = make_parameters(CROSS, {"width": 3, "anchor": "rolling", "fast": 5})
    assert made == CrossParameters(fast=5, width=3.0, anchor=Anchor.ROLLING)
    assert type(made.width) is float
    assert type(made.anchor) is Anchor


def strategies_file(directory: Path, parameters: str) -> None:
    """Write a configuration of two instances of `cross`."""
    (directory / "strategies.yaml").write_text(
        "strategies:\n"
        f"  - {{id: quick, strategy: cross, parameters: {parameters}}}\n"
        "  - {id: plain, strategy: cross, parameters: {}}\n",
        encoding="utf-8",
    )
    (directory / "books.yaml").write_text(
        "books:\n  - {id: b, share: 1, rule: vote, min_votes: 2, allow_short: false, strategies: [quick, plain]}\n",
        encoding="utf-8",
    )


def test_each_instance_gets_its_parameters(tmp_path: Path) -> None:
    strategies_file(tmp_path, "{fast: 5, width: 3}")
    settings = load(tmp_path, {}, REGISTRY)
    assert instance_parameters(settings, REGISTRY) == {
        "quick": CrossParameters(fast=5, width=3.0),
        "plain": CrossParameters(),
    }


def test_faults_of_parameters_come_with_their_lines(tmp_path: Path) -> None:
    strategies_file(tmp_path, "{fast: 0}")
    with pytest.raises(InvalidConfiguration) as caught:
        load(tmp_path, {}, REGISTRY)
    assert [(v.key, v.line) for v in caught.value.violations] == [("strategies[0].parameters.fast", 2)]
    with pytest.raises(InvalidConfiguration, match=r"strategies\[0\]\.parameters\.fast: found 0"):
        instance_parameters(load(tmp_path, {}), REGISTRY)
