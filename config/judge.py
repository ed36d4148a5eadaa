"""Judge one document by its model and say each fault in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from config.documents import Document, KeyPath, value_at
from config.fields import field_at, is_hidden, key_field_of, plain_type, range_of
from config.violations import Violation, key_path, nearest, shown

KEY_MARK = "[key]"
"""What pydantic appends to the path of a mapping's key that is itself at fault."""


def judge(
    document: Document, model: type[BaseModel], shipped: Document
) -> tuple[BaseModel | None, list[Violation]]:
    """Return the model that `document` makes, or None with all its faults; `shipped` tells the default values."""
    if document.data is None:
        return None, list(document.violations)
    try:
        value = model.model_validate(document.data)
    except ValidationError as error:
        faults = [_violation(document, model, shipped, fault) for fault in _own(error)]
        return None, [*document.violations, *faults]
    return (None if document.violations else value), list(document.violations)


def _own(error: ValidationError) -> list[Mapping[str, Any]]:
    """Return the errors that stand for themselves: a list is not too short because its entries are refused."""
    errors = error.errors(include_url=False)
    paths = [fault["loc"] for fault in errors]
    return [
        fault
        for fault in errors
        if fault["type"] != "too_short"
        or not any(path[: len(fault["loc"])] == fault["loc"] and path != fault["loc"] for path in paths)
    ]


def _violation(
    document: Document, model: type[BaseModel], shipped: Document, fault: Mapping[str, Any]
) -> Violation:
    path: KeyPath = tuple(fault["loc"])
    line, key = document.line(path), key_path(path)
    if fault["type"] == "extra_forbidden":
        return Violation(document.file, key, "an unknown key", _known(model, path), line)
    if path and path[-1] == KEY_MARK:
        path = path[:-1]
        owner = field_at(model, path[:-1])
        allowed = range_of(key_field_of(owner)) if owner else str(fault["msg"])
        return Violation(
            document.file, key_path(path), f"the key {shown(path[-1])}", f"allowed: {allowed}", line
        )
    field = field_at(model, path)
    allowed = str(fault["msg"]) if field is None else range_of(field)
    if fault["type"] == "missing":
        default = value_at(shipped.data, path)
        hint = (
            ""
            if default is None or isinstance(default, dict | tuple)
            else f"; the shipped file has {shown(default)}"
        )
        return Violation(document.file, key, "nothing", f"required: {allowed}{hint}", line)
    found = "(not shown)" if is_hidden(field) else shown(fault["input"])
    return Violation(document.file, key, found, f"allowed: {allowed}", line)


def _known(model: type[BaseModel], path: KeyPath) -> str:
    field = field_at(model, path[:-1])
    owner = model if field is None else plain_type(field.annotation)
    names = list(owner.model_fields)
    return f"{nearest(str(path[-1]), names)}allowed here: {', '.join(names)}"
