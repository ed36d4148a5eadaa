"""Encode JSON one way only: ASCII, sorted keys, no spaces, so that equal content is equal bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import orjson

from domain.errors import InvariantViolation


class WrittenBody(Mapping[str, Any]):
    """Be the body of an audit event that is written more than once, as canonical text made once.

    It reads like, and equals, the mapping it was made from, which must not change any more. Only the text travels to
    another process.
    """

    __slots__ = ("_text", "_values")

    def __init__(self, values: Mapping[str, Any] | None, text: str | None = None) -> None:
        """Hold `values`, or None with the canonical `text` they are read from when asked for."""
        self._values, self._text = values, text

    @property
    def text(self) -> str:
        """Return the canonical text; raises InvariantViolation as `canonical` does."""
        if self._text is None:
            self._text = canonical(self._values)
        return self._text

    def __getitem__(self, key: str) -> Any:
        """Return one value."""
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        """Yield the keys."""
        return iter(self._read())

    def __len__(self) -> int:
        """Return how many values there are."""
        return len(self._read())

    def __reduce__(self) -> tuple[type[WrittenBody], tuple[None, str]]:
        """Travel as text."""
        return WrittenBody, (None, self.text)

    def __repr__(self) -> str:
        """Show the values."""
        return repr(self._read())

    def _read(self) -> Mapping[str, Any]:
        if self._values is None:
            self._values = json.loads(self.text)
        return self._values


def _plain(value: object) -> object:
    """Return what the JSON encoder may take in place of a mapping view or a numpy scalar."""
    # orjson takes plain tuples only; these first, for signals are most of what comes here.
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not JSON-able")


_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

# Bodies are trees, so the encoder need not remember which containers it is in, which it does for each of them.
_strict = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False, default=_plain
).encode
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

    Written by orjson, three times as fast as the standard library; the two spell some floats differently. What orjson
    refuses or writes in other than ASCII is the standard library's to write, as is what holds null: orjson writes NaN
    so. Which of them writes hangs on the content alone. Raises InvariantViolation when `value` holds something that
    JSON has no form for.
    """
    if type(value) is WrittenBody:
        return value.text
    try:
        text = orjson.dumps(value, default=_plain, option=_OPTIONS)
    except orjson.JSONEncodeError:
        return _by_standard_library(value)
    return text.decode("ascii") if text.isascii() and b"null" not in text else _by_standard_library(value)


def _by_standard_library(value: object) -> str:
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
