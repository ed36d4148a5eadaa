"""Judge strategies' parameters by the registry: their names, types and ranges."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from config.documents import Document, KeyPath
from config.rules import is_number
from config.settings import Settings
from config.violations import InvalidConfiguration, Violation, key_path, nearest, shown

if TYPE_CHECKING:
    from domain.strategies.protocol import StrategyDefinition

FILE = "strategies.yaml"


def parameter_violations(
    document: Document, registry: Mapping[str, StrategyDefinition], *, own_files: bool = False
) -> Iterator[Violation]:
    """Yield what is wrong with the strategies and parameters that `document` names.

    Entries that are malformed otherwise are passed over: their own violations say so. Without `own_files`, strategies
    that a file of the user's defines are passed over too; with it, the registry must hold them.
    """
    items = document.data.get("strategies") if isinstance(document.data, dict) else None
    for i, item in enumerate(items if isinstance(items, tuple | list) else ()):
        if not isinstance(item, dict) or not isinstance(name := item.get("strategy"), str):
            continue
        here: KeyPath = ("strategies", i)
        definition = registry.get(name)
        if definition is None:
            if own_files or item.get("file") is None:
                key: KeyPath = (*here, "strategy")
                allowed = f"{nearest(name, registry)}known: {', '.join(sorted(registry))}"
                yield Violation(FILE, key_path(key), shown(name), allowed, document.line(key))
        elif isinstance(given := item.get("parameters"), dict):
            for parameter, found, allowed in parameter_faults(definition, given):
                key = (*here, "parameters", parameter) if parameter else (*here, "parameters")
                yield Violation(FILE, key_path(key), found, allowed, document.line(key))


def parameter_faults(
    definition: StrategyDefinition, given: Mapping[str, object]
) -> Iterator[tuple[str, str, str]]:
    """Yield (parameter, found, allowed) for each fault of `given`; the parameter is "" where several are at fault."""
    kinds = typing.get_type_hints(definition.parameters)
    names = [field.name for field in dataclasses.fields(definition.parameters)]
    sound = True
    for name, value in given.items():
        if name not in names:
            sound = False
            yield (
                name,
                "an unknown parameter",
                f"{nearest(name, names)}{definition.name} has: {', '.join(names)}",
            )
        elif not _fits(value, kinds[name], definition, name):
            sound = False
            yield name, shown(value), f"allowed: {parameter_range(definition, name)}"
    if sound:
        try:
            make_parameters(definition, given)
        except (TypeError, ValueError) as error:
            # The dataclass itself ties fields together, such as a fast window to a slow one.
            yield "", shown(dict(given)), f"{definition.name} refuses these together: {error}"


def make_parameters(definition: StrategyDefinition, given: Mapping[str, object]) -> Any:
    """Return the parameters' dataclass with `given` in place of its defaults; a float field gets floats."""
    kinds = typing.get_type_hints(definition.parameters)
    values = {name: _as_kind(value, kinds[name]) for name, value in given.items()}
    return definition.parameters(**values)


def instance_parameters(settings: Settings, registry: Mapping[str, StrategyDefinition]) -> dict[str, Any]:
    """Return each instance's parameters by its id; raise InvalidConfiguration with every fault.

    `registry` holds all strategies, those from the user's files included.
    """
    document = Document(FILE, settings.content()["strategies"], {}, ())
    violations = list(parameter_violations(document, registry, own_files=True))
    if violations:
        raise InvalidConfiguration(violations)
    return {
        item.id: make_parameters(registry[item.strategy], item.parameters)
        for item in settings.strategies.strategies
    }


def parameter_range(definition: StrategyDefinition, name: str) -> str:
    """Return what a parameter allows, in words."""
    kind = typing.get_type_hints(definition.parameters)[name]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(str(member.value) for member in kind)
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(str(value) for value in typing.get_args(kind))
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}.get(
        kind, str(kind)
    )
    bounds = definition.ranges.get(name)
    return words if bounds is None else f"{words} from {bounds.low:g} to {bounds.high:g}"


def _fits(value: object, kind: Any, definition: StrategyDefinition, name: str) -> bool:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return value in [member.value for member in kind]
    if typing.get_origin(kind) is typing.Literal:
        return value in typing.get_args(kind)
    if kind in (int, float):
        if not is_number(value) or (kind is int and not isinstance(value, int)):
            return False
        bounds = definition.ranges.get(name)
        return bounds is None or bounds.low <= value <= bounds.high
    return type(value) is kind


def _as_kind(value: object, kind: Any) -> object:
    if kind is float and isinstance(value, int):
        return float(value)
    return kind(value) if isinstance(kind, type) and issubclass(kind, Enum) else value
