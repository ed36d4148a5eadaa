"""Build the models' fields: strict types, a description, a unit and a range on every one."""

from __future__ import annotations

import math
import types
import typing
from enum import Enum
from typing import Any, NoReturn

import annotated_types as at
from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from config.database_url import ALLOWED as DATABASE_URL_ALLOWED

IDENTIFIER = r"^[a-z][a-z0-9_]{0,31}$"
NAME = r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$"
SYMBOL = r"^[A-Za-z0-9][A-Za-z0-9._/:@^=+-]{0,39}$"
CURRENCY = r"^[A-Z][A-Z0-9]{2,9}$"
QUOTED = r"^(quote|[A-Z][A-Z0-9]{2,9})$"
CALENDAR = r"^[A-Za-z0-9/]{2,20}$"
FILE = r"^[^\x00-\x1f]{1,400}\.py$"
PATH = r"^[^\x00-\x1f]{1,400}$"
ALERT_TARGET = r"^(log|BREAKWATER_ALERT_[A-Z0-9_]{1,40})$"
DATABASE_URL = r"^sqlite:///.{1,400}$"

_PATTERNS = {
    IDENTIFIER: "1 to 32 lower-case letters, digits and _, a letter first",
    NAME: "1 to 64 letters, digits, _ . -, a letter first",
    SYMBOL: "1 to 40 letters, digits and . _ / : @ ^ = + -, a letter or digit first",
    QUOTED: "3 to 10 upper-case letters and digits, or quote",
    CALENDAR: "2 to 20 letters, digits and /",
    FILE: "a path that ends in .py, relative to the configuration directory or absolute",
    PATH: "a path of 1 to 400 characters",
    DATABASE_URL: DATABASE_URL_ALLOWED,
    ALERT_TARGET: "log, or the name of an environment variable that begins with BREAKWATER_ALERT_ and holds an "
    "Apprise URL (capitals, digits, _; never the URL itself, which may hold a password)",
    CURRENCY: "3 to 10 upper-case letters and digits, a letter first",
}


class Section(BaseModel):
    """Be a part of the configuration: frozen, nothing unknown, no value turned into another type, no default."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class FrozenMap(dict[str, Any]):
    """Be a mapping that nobody changes after it was read."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("configuration is frozen")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[FrozenMap], tuple[dict[str, Any]]]:
        """Pickle as a plain mapping that is frozen again on arrival."""
        return FrozenMap, (dict(self),)


def number(
    description: str,
    unit: str,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> Any:
    """Return a required numeric field bounded on both sides (`above` and `below` exclude their bound)."""
    if (above is None) == (least is None) or (below is None) == (most is None):
        raise ValueError(f"{description!r} needs one lower and one upper bound")
    return Field(
        description=description, gt=above, ge=least, lt=below, le=most, json_schema_extra={"unit": unit}
    )


def text(description: str, *, pattern: str, hidden: bool = False) -> Any:
    """Return a required text field that matches one of the patterns above.

    What is refused of a `hidden` one is not shown: it may be a secret that somebody put there.
    """
    return Field(
        description=description, pattern=pattern, json_schema_extra={"unit": "text", "hidden": hidden}
    )


def flag(description: str) -> Any:
    """Return a required true-or-false field."""
    return Field(description=description, json_schema_extra={"unit": "true or false"})


def one_of(description: str) -> Any:
    """Return a required field whose type names the allowed texts."""
    return Field(description=description, json_schema_extra={"unit": "one of"})


def part(description: str) -> Any:
    """Return a required field that holds a section."""
    return Field(description=description)


def entries(description: str, *, fewest: int, most: int) -> Any:
    """Return a required field that holds a mapping or a list of `fewest` to `most` entries."""
    return Field(description=description, min_length=fewest, max_length=most)


def unit_of(field: FieldInfo) -> str:
    """Return the unit of a field's value, "" when it has none."""
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def is_hidden(field: FieldInfo | None) -> bool:
    """Say whether what is refused of a field must not be shown."""
    extra = None if field is None else field.json_schema_extra
    return isinstance(extra, dict) and extra.get("hidden") is True


def range_of(field: FieldInfo) -> str:
    """Return what a field allows, in words: type, bounds and unit."""
    field = present(field)
    kind = plain_type(field.annotation)
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        return "one of " + ", ".join(str(value) for value in typing.get_args(kind))
    if origin is tuple:
        return f"a list{_length_range(field)}, each {range_of(member_of(kind))}"
    if origin is dict:
        return "a mapping" + _length_range(field)
    if issubclass(kind, BaseModel):
        return "a mapping of " + ", ".join(kind.model_fields)
    if kind is object:
        return "a finite number, text, true or false"
    if issubclass(kind, Enum):
        return "one of " + ", ".join(str(member.value) for member in kind)
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        return _number_range(field, "a whole number" if kind is int else "a number")
    pattern = next((found for m in field.metadata if (found := getattr(m, "pattern", None))), None)
    return f"text: {_PATTERNS[pattern]}" if pattern in _PATTERNS else "text"


def _number_range(field: FieldInfo, kind: str) -> str:
    low = high = ""
    for item in field.metadata:
        if isinstance(item, at.Gt):
            low = f"above {_figure(item.gt)}"
        elif isinstance(item, at.Ge):
            low = f"from {_figure(item.ge)}"
        elif isinstance(item, at.Lt):
            high = f" to below {_figure(item.lt)}"
        elif isinstance(item, at.Le):
            high = f" to {_figure(item.le)}"
    unit = unit_of(field)
    return f"{kind} {low}{high}" + (f" ({unit})" if unit else "")


def _length_range(field: FieldInfo) -> str:
    fewest = next((m.min_length for m in field.metadata if isinstance(m, at.MinLen)), None)
    most = next((m.max_length for m in field.metadata if isinstance(m, at.MaxLen)), None)
    return "" if most is None else f" of {fewest or 0} to {most} entries"


def _figure(bound: Any) -> str:
    value = float(bound)
    return f"{int(value):,}" if math.floor(value) == value and abs(value) < 1e16 else f"{value:g}"


def plain_type(annotation: Any) -> Any:
    """Return a type without what annotates it."""
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Annotated else annotation


def member_of(kind: Any) -> FieldInfo:
    """Return the field that governs what a list or mapping type holds."""
    arguments = typing.get_args(kind)
    return FieldInfo.from_annotation(arguments[0] if typing.get_origin(kind) is tuple else arguments[1])


def present(field: FieldInfo) -> FieldInfo:
    """Return the field that governs an optional field's value where there is one; any other field as it is."""
    if typing.get_origin(field.annotation) not in (typing.Union, types.UnionType):
        return field
    return FieldInfo.from_annotation(
        next(arm for arm in typing.get_args(field.annotation) if arm is not type(None))
    )


def field_at(model: type[BaseModel], path: tuple[str | int, ...]) -> FieldInfo | None:
    """Return the field that governs `path` below `model`, or None where no field does."""
    kind: Any = model
    field: FieldInfo | None = None
    for step in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(step))
        else:
            field = member_of(kind) if typing.get_origin(kind) in (tuple, dict) else None
        if field is None:
            return None
        field = present(field)
        kind = plain_type(field.annotation)
    return field


def key_field_of(field: FieldInfo) -> FieldInfo:
    """Return the field that governs the keys of a mapping's field."""
    return FieldInfo.from_annotation(typing.get_args(plain_type(field.annotation))[0])
