"""Find what is wrong with a strategy's definition; make parameters, with every error at once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from typing import Any

from domain.errors import ConfigurationError
from domain.strategies.protocol import StrategyDefinition, StrategyInstance

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


def parameters_from(definition: StrategyDefinition, values: Mapping[str, object], where: str) -> Any:
    """Return the parameters of `definition` with `values` in place of defaults.

    `where` names the file and key for the message. Raises ConfigurationError that lists every unknown name,
    wrong type and value out of its range.
    """
    defaults = {field.name: _default(field) for field in fields(definition.parameters)}
    given: dict[str, object] = {}
    found = []
    for name, value in values.items():
        if name not in defaults:
            found.append(f"{where}.{name}: unknown; {definition.name} has {', '.join(sorted(defaults))}")
            continue
        try:
            given[name] = _converted(definition, name, value, defaults[name])
        except ValueError as error:
            found.append(f"{where}.{name}: {error}")
    if found:
        raise ConfigurationError("\n".join(found))
    return definition.parameters(**given)


def _converted(definition: StrategyDefinition, name: str, value: object, default: object) -> object:
    if isinstance(default, Enum):
        allowed = [member.value for member in type(default)]
        if value not in allowed:
            raise ValueError(f"found {value!r}; allowed: {', '.join(map(str, allowed))}")
        return type(default)(value)
    if not _is_number(default):
        if type(value) is not type(default):
            raise ValueError(f"found {value!r}; a {type(default).__name__} is needed")
        return value
    low, high, _ = definition.ranges[name]
    kind = "a whole number" if isinstance(default, int) else "a number"
    if not isinstance(value, int if isinstance(default, int) else (int, float)) or isinstance(value, bool):
        raise ValueError(f"found {value!r}; allowed: {kind} from {low:g} to {high:g}")
    if not low <= value <= high:
        raise ValueError(f"found {value!r}; allowed: {low:g} to {high:g}")
    return value if isinstance(default, int) else float(value)


def instance_of(
    strategy_id: str, definition: StrategyDefinition, values: Mapping[str, object], where: str
) -> StrategyInstance:
    """Return the instance `strategy_id` of `definition`. Raises ConfigurationError as `parameters_from`."""
    parameters = parameters_from(definition, values, where)
    return StrategyInstance(strategy_id=strategy_id, definition=definition, parameters=parameters)
