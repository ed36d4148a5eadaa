"""Check single JSON values on their way out and in, and read and write strict JSON, for `domain.codec`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from domain.errors import CodecError

Converter = Callable[[Any], Any]
Pair = tuple[Converter, Converter]
Check = Callable[[Sequence[Any]], bool]

_LOW, _HIGH = -(2**63), 2**63


def wrong(expected: str, value: Any) -> CodecError:
    """Return the error that says what was expected and what was found."""
    return CodecError(f"expected {expected}, found {type(value).__name__} {str(value)[:80]!r}")


def int_out(value: Any) -> int:
    """Return an integer of 64 bits, an IntEnum's member as its value."""
    if isinstance(value, int) and not isinstance(value, bool) and _LOW <= value < _HIGH:
        return int(value)
    raise wrong("a 64-bit integer", value)


def int_in(value: Any) -> int:
    """Return an integer of 64 bits."""
    if type(value) is int and _LOW <= value < _HIGH:
        return value
    raise wrong("a 64-bit integer", value)


def float_out(value: Any) -> float:
    """Return a finite float; an integer that a float holds exactly becomes one."""
    if type(value) is float:
        if isfinite(value):
            return value
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        # A type checker lets an int stand for a float: it travels as one, if it is one exactly.
        number = float(value) if abs(value) <= 2**53 else float("nan")
        if isfinite(number):
            return number
    raise wrong("a finite number", value)


def float_in(value: Any) -> float:
    """Return a finite float."""
    if type(value) is float and isfinite(value):
        return value
    raise wrong("a finite float", value)


def gap_out(value: Any) -> float | None:
    """Return a finite float, or None for NaN (no value)."""
    return None if type(value) is float and value != value else float_out(value)


def gap_in(value: Any) -> float:
    """Return a finite float, or NaN for None."""
    return float("nan") if value is None else float_in(value)


def text(value: Any) -> str:
    """Return text that is Unicode throughout."""
    if isinstance(value, str):
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise CodecError(f"text that is not Unicode: {error}") from None
        return str(value)
    raise wrong("text", value)


def boolean(value: Any) -> bool:
    """Return true or false."""
    if isinstance(value, bool):
        return value
    raise wrong("true or false", value)


def free(value: Any) -> Any:
    """Check and copy a JSON-able value; tuples become lists."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        return int_out(value)
    if isinstance(value, float):
        return float_out(value)
    if isinstance(value, (list, tuple)):
        return [free(item) for item in value]
    return free_mapping(value)


def free_mapping(value: Any) -> dict[str, Any]:
    """Check and copy a mapping from text to JSON-able values."""
    if not isinstance(value, Mapping):
        raise wrong("a JSON-able value", value)
    return {text(key): free(item) for key, item in value.items()}


def finite_floats(column: Sequence[Any]) -> bool:
    """Tell whether `column` holds finite floats and nothing else."""
    return set(map(type, column)) == {float} and all(map(isfinite, column))


def ascii_texts(column: Sequence[Any]) -> bool:
    """Tell whether `column` holds ASCII text and nothing else."""
    return set(map(type, column)) == {str} and "".join(column).isascii()


def _refuse_constant(name: str) -> Any:
    raise CodecError(f"{name} is not a number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise CodecError(f"a field stands twice in {[key for key, _ in pairs]}")
    return found


_decode_json = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_object).decode
_encode_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def read_json(data: bytes) -> Any:
    """Return what the JSON text `data` says; raises ValueError or CodecError for what is none, strictly."""
    return _decode_json(data.decode("utf-8"))


def write_json(value: Any) -> bytes:
    """Return a value made of lists, tuples, mappings from text and scalars as JSON text."""
    return _encode_json(value).encode("ascii")


SCALARS: dict[Any, Pair] = {
    int: (int_out, int_in),
    float: (float_out, float_in),
    str: (text, text),
    bool: (boolean, boolean),
    Any: (free, free),
}

COLUMNS: dict[Any, Check] = {float: finite_floats, str: ascii_texts}
"""Say by type how a whole column of values is found to be what travels as it is; many at once cost a tenth each."""
