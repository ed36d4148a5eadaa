"""Encode JSON one way only: ASCII, sorted keys, no spaces, so that equal content is equal bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from domain.errors import InvariantViolation


def _plain(value: object) -> object:
    """Return what the JSON encoder may take in place of a mapping view or a numpy scalar."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not JSON-able")


_strict = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain).encode
_lenient = json.JSONEncoder(separators=(",", ":"), default=_plain).encode


def _spell_non_finite(value: Any) -> Any:
    """Return `value` with NaN and infinities as the strings "nan", "inf", "-inf", which JSON has no numbers for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(float(value))
    if isinstance(value, Mapping):
        return {key: _spell_non_finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spell_non_finite(item) for item in value]
    return value


def canonical(value: object) -> str:
    """Return the canonical JSON text of an audit body; non-finite numbers become strings.

    Raises InvariantViolation when `value` holds something that JSON has no form for.
    """
    try:
        return _strict(value)
    except ValueError:
        # A bad bar's NaN must not stop the record of it: spelled out, and only on this rare path.
        return _strict(_spell_non_finite(value))
    except TypeError as error:
        raise InvariantViolation(f"audit body cannot be written as JSON: {error}: {value!r:.300}") from error


def snapshot_text(values: Mapping[str, Any]) -> str:
    """Return the JSON text of a machine's own values; NaN and infinities come back as they were.

    Raises InvariantViolation when `values` holds something that JSON has no form for.
    """
    try:
        return _lenient(values)
    except (TypeError, ValueError) as error:
        raise InvariantViolation(f"machine snapshot cannot be written as JSON: {error}") from error
