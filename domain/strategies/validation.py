"""Find what is wrong with a strategy's definition before it is used."""

from __future__ import annotations

import math
import re
import typing
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from domain.strategies.protocol import StrategyDefinition

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def problems(definition: StrategyDefinition) -> list[str]:
    """Return what is wrong with `definition`, one line each; an empty list when it may be used."""
    found = []
    if not isinstance(definition.name, str) or not _NAME.fullmatch(definition.name):
        found.append(
            f"name is {definition.name!r}; lower case letters, digits and _ are allowed, a letter first"
        )
    for key in ("summary", "source"):
        if not str(getattr(definition, key)).strip():
            found.append(f"{key} is empty; one line is needed")
    for key in ("signals", "warmup"):
        if not callable(getattr(definition, key)):
            found.append(f"{key} is {getattr(definition, key)!r}; a function is needed")
    if not (isinstance(definition.parameters, type) and is_dataclass(definition.parameters)):
        return [*found, f"parameters is {definition.parameters!r}; a frozen dataclass type is needed"]
    shape = _parameter_problems(definition)
    return found + (shape or _warmup_problems(definition))


def _parameter_problems(definition: StrategyDefinition) -> list[str]:
    found = []
    if not definition.parameters.__dataclass_params__.frozen:
        found.append(f"{definition.parameters.__name__} is not frozen; write @dataclass(frozen=True)")
    try:
        typing.get_type_hints(definition.parameters)
    except NameError as error:
        found.append(
            f"the type of a parameter cannot be read: {error}; import what it names at the top level"
        )
    defaults = {field.name: _default(field) for field in fields(definition.parameters)}
    for name, value in defaults.items():
        if value is MISSING:
            found.append(f"parameter {name} has no default")
        elif _is_number(value):
            found += _range_problems(definition, name, value)
        elif not isinstance(value, bool | str):
            found.append(
                f"parameter {name} is {value!r}; a number, text, true or false, or a StrEnum is needed"
            )
    unknown = sorted(set(definition.ranges) - {name for name, value in defaults.items() if _is_number(value)})
    return found + [f"ranges has {name!r}, which is no numeric parameter" for name in unknown]


def _range_problems(definition: StrategyDefinition, name: str, value: float) -> list[str]:
    bounds = definition.ranges.get(name)
    if bounds is None:
        return [f"parameter {name} is a number without a range"]
    low, high, step = bounds
    if not (all(map(math.isfinite, bounds)) and low <= high and step > 0):
        return [
            f"range of {name} is {low} to {high} by {step}; finite, low <= high and a step > 0 are needed"
        ]
    if not low <= value <= high:
        return [f"default of {name} is {value}; its range is {low} to {high}"]
    return []


def _warmup_problems(definition: StrategyDefinition) -> list[str]:
    try:
        warmup = definition.warmup(definition.parameters())
    except Exception as error:  # the definition is a stranger's code; what it raises is the finding
        return [f"warmup of the default parameters raises {type(error).__name__}: {error}"]
    if not isinstance(warmup, int) or isinstance(warmup, bool) or warmup < 1:
        return [
            f"warmup of the default parameters is {warmup!r}; a whole number of bars, at least 1, is needed"
        ]
    return []


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else MISSING


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
