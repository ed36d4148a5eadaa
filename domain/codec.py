"""Turn our values into JSON bytes and back: typed, closed and strict.

A `Codec` knows a closed set of classes by name. A frozen dataclass becomes an object with its class name under
"type"; a NamedTuple inside another value becomes an array, an enum its value; standing alone, or where one of several
classes may stand, they are wrapped with their name. What is not exactly as the annotations say is refused on both
sides: unknown class, missing, unknown or doubled field, wrong type, integers beyond 64 bits, NaN and infinities (NaN is
allowed in `Bar.volume` and travels as null), lone surrogates. Floats come back bit for bit (Python writes the shortest
text that reads back equal).
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from operator import attrgetter
from types import ModuleType
from typing import Any

from domain import bars, broker, messages, outbox, records, signals
from domain.errors import CodecError
from domain.strict_json import (
    COLUMNS,
    SCALARS,
    Check,
    Converter,
    Pair,
    free_mapping,
    gap_in,
    gap_out,
    read_json,
    write_json,
    wrong,
)

TAG = "type"
NAN_ALLOWED = frozenset({("Bar", "volume")})


def classes_of(*modules: ModuleType) -> tuple[type[Any], ...]:
    """Return the dataclasses, NamedTuples and enums that `modules` define, in order of definition."""
    found = []
    for module in modules:
        for item in vars(module).values():
            if isinstance(item, type) and item.__module__ == module.__name__ and _is_value(item):
                found.append(item)
    return tuple(found)


def _is_value(cls: type[Any]) -> bool:
    return dataclasses.is_dataclass(cls) or issubclass(cls, Enum) or _is_named_tuple(cls)


def _is_named_tuple(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")


def _is_tellable(cls: Any) -> bool:
    return dataclasses.is_dataclass(cls) or _is_named_tuple(cls)


class Codec:
    """Encode and decode values of a closed set of classes, each known by its bare name."""

    def __init__(
        self,
        classes: Iterable[type[Any]],
        write: Callable[[Any], bytes] = write_json,
        read: Callable[[bytes], Any] = read_json,
    ) -> None:
        """Prepare converters for `classes`; raises TypeError for two of one name or a field it cannot carry.

        `write` and `read` make and take the text; quicker ones, as strict, may stand in their places.
        """
        self._write, self._read = write, read
        self._pairs: dict[Any, Pair] = dict(SCALARS)
        self._names: dict[str, type[Any]] = {}
        members = tuple(classes)
        for cls in members:
            if self._names.setdefault(cls.__name__, cls) is not cls:
                raise TypeError(f"two classes are called {cls.__name__}")
        for cls in members:
            self._pair(cls)

    @property
    def classes(self) -> tuple[type[Any], ...]:
        """Return the classes this codec knows."""
        return tuple(self._names.values())

    def encode(self, value: Any) -> bytes:
        """Return `value` (of a known class, or a tuple of such) as JSON bytes; raises CodecError."""
        try:
            return self._write(self._wrap(value))
        except (RecursionError, AttributeError, TypeError) as error:
            raise CodecError(f"cannot encode {type(value).__name__}: {error}") from error

    def decode(self, data: bytes) -> Any:
        """Return the value that `data` carries; raises CodecError for everything else."""
        try:
            return self._unwrap(self._read(data))
        except (ValueError, RecursionError) as error:
            raise CodecError(f"not a message: {error}") from error

    def _wrap(self, value: Any) -> Any:
        cls = type(value)
        if cls is tuple:
            return {TAG: "tuple", "items": [self._wrap(item) for item in value]}
        if self._names.get(cls.__name__) is not cls:
            raise CodecError(f"unknown class {cls.__module__}.{cls.__name__}")
        written = self._pairs[cls][0](value)
        return written if dataclasses.is_dataclass(cls) else {TAG: cls.__name__, "value": written}

    def _unwrap(self, read: Any) -> Any:
        if type(read) is not dict:
            raise wrong("an object", read)
        name = read.get(TAG)
        if name == "tuple" and read.keys() == {TAG, "items"} and type(read["items"]) is list:
            return tuple(self._unwrap(item) for item in read["items"])
        cls = self._names.get(name) if isinstance(name, str) else None
        if cls is None:
            raise CodecError(f"unknown class {str(name)[:80]!r}")
        if dataclasses.is_dataclass(cls):
            return self._pairs[cls][1](read)
        if read.keys() != {TAG, "value"}:
            raise CodecError(
                f"{cls.__name__}: expected the field 'value', found {sorted(map(str, read))[:20]}"
            )
        return self._pairs[cls][1](read["value"])

    def _pair(self, kind: Any) -> Pair:
        found = self._pairs.get(kind)
        if found is None:
            found = self._pairs[kind] = self._build(kind)
        return found

    def _build(self, kind: Any) -> Pair:
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
            return self._sequence(arguments[0], tuple)
        if origin is Sequence:
            return self._sequence(arguments[0], Sequence)
        if origin in (types.UnionType, typing.Union):
            return self._union(arguments)
        if origin is Mapping and arguments == (str, Any):
            return free_mapping, free_mapping
        known: Any = self._names.get(getattr(kind, "__name__", ""))
        if known is kind and known is not None:
            if issubclass(known, Enum):
                return _enum(kind)
            return self._dataclass(kind) if dataclasses.is_dataclass(kind) else self._named_tuple(kind)
        raise TypeError(f"a codec cannot carry {kind!r}")

    def _sequence(self, kind: Any, of: type[Any]) -> Pair:
        out, into = self._pair(kind)
        checks = _column_checks(kind)

        def write(value: Any) -> list[Any]:
            if not isinstance(value, of):
                raise wrong(f"a {of.__name__.lower()}", value)
            if checks and set(map(type, value)) == {kind} and _are_plain(checks, value):
                return list(map(tuple, value))
            return [out(item) for item in value]

        def read(value: Any) -> tuple[Any, ...]:
            if type(value) is not list:
                raise wrong("an array", value)
            if checks and set(map(type, value)) == {list} and _are_plain(checks, value):
                return tuple(map(kind._make, value))
            return tuple([into(item) for item in value])

        return write, read

    def _union(self, members: tuple[Any, ...]) -> Pair:
        """Convert one of several dataclasses or NamedTuples, told apart by name, or one type or None."""
        plain = [member for member in members if member is not types.NoneType]
        if len(plain) == 1:
            out, into = self._pair(plain[0])
            return (lambda v: None if v is None else out(v)), (lambda v: None if v is None else into(v))
        if len(plain) != len(members) or not all(map(_is_tellable, plain)):
            raise TypeError(f"a codec cannot tell {members!r} apart")
        for member in plain:
            self._pair(member)
        names = [member.__name__ for member in plain]
        expected = "one of " + ", ".join(names)

        def write(value: Any) -> Any:
            if type(value) not in plain:
                raise wrong(expected, value)
            return self._wrap(value)

        def read(value: Any) -> Any:
            name = value.get(TAG) if type(value) is dict else None
            if name not in names:
                raise wrong(expected, value)
            return self._unwrap(value)

        return write, read

    def _fields(self, cls: type[Any], names: tuple[str, ...]) -> tuple[list[Converter], list[Converter]]:
        hints = typing.get_type_hints(cls)
        gaps = {field for owner, field in NAN_ALLOWED if owner == cls.__name__}
        pairs = [(gap_out, gap_in) if name in gaps else self._pair(hints[name]) for name in names]
        return [out for out, _ in pairs], [into for _, into in pairs]

    def _named_tuple(self, cls: Any) -> Pair:
        name, size = cls.__name__, len(cls._fields)
        outs, ins = self._fields(cls, cls._fields)

        def write(value: Any) -> list[Any]:
            if type(value) is not cls:
                raise wrong(name, value)
            return [out(item) for out, item in zip(outs, value, strict=True)]

        def read(value: Any) -> Any:
            if type(value) is not list or len(value) != size:
                raise wrong(f"an array of {size} for {name}", value)
            return cls(*[into(item) for into, item in zip(ins, value, strict=True)])

        return write, read

    def _dataclass(self, cls: Any) -> Pair:
        name = cls.__name__
        fields = tuple(field.name for field in dataclasses.fields(cls))
        if TAG in fields or not fields or not cls.__dataclass_params__.frozen:
            raise TypeError(f"{name}: a codec carries frozen dataclasses with fields, none called {TAG!r}")
        outs, ins = self._fields(cls, fields)
        first = attrgetter(fields[0])
        values = attrgetter(*fields) if len(fields) > 1 else lambda value: (first(value),)
        readers = dict(zip(fields, ins, strict=True))
        keys = {TAG, *fields}

        def write(value: Any) -> dict[str, Any]:
            if type(value) is not cls:
                raise wrong(name, value)
            written = {TAG: name}
            for field, out, item in zip(fields, outs, values(value), strict=True):
                written[field] = out(item)
            return written

        def read(value: Any) -> Any:
            if type(value) is not dict or value.keys() != keys or value[TAG] != name:
                found = sorted(value)[:20] if type(value) is dict else value
                raise wrong(f"{name} with the fields {', '.join(fields)}", found)
            return cls(**{field: into(value[field]) for field, into in readers.items()})

        return write, read


def _column_checks(kind: Any) -> list[Check]:
    """Return the check of each field's column where `kind` is a NamedTuple of plain scalars; none otherwise."""
    if not _is_named_tuple(kind):
        return []
    checks = [COLUMNS.get(hint) for hint in typing.get_type_hints(kind).values()]
    return [] if None in checks else [check for check in checks if check]


def _are_plain(checks: Sequence[Check], rows: Sequence[Any]) -> bool:
    """Tell whether every row has a field for each check and is what travels as it is, which most are."""
    if set(map(len, rows)) != {len(checks)}:
        return False
    return all(check(column) for check, column in zip(checks, zip(*rows, strict=True), strict=True))


def _enum(cls: Any) -> Pair:
    members = {member.value: member for member in cls}
    plain = {bool}

    def write(value: Any) -> Any:
        if type(value) is not cls:
            raise wrong(cls.__name__, value)
        return value.value

    def read(value: Any) -> Any:
        if not isinstance(value, (str, int)) or type(value) in plain or value not in members:
            raise wrong(f"one of {list(members)}", value)
        return members[value]

    return write, read


_NOT_CARRIED = (bars.BarTable, bars.SymbolBars)
WIRE_CLASSES = tuple(
    cls for cls in classes_of(broker, messages, signals, records, outbox, bars) if cls not in _NOT_CARRIED
)
WIRE = Codec(WIRE_CLASSES)


def encode(value: Any) -> bytes:
    """Return a message, record or any value of their modules as JSON bytes; raises CodecError."""
    return WIRE.encode(value)


def decode(data: bytes) -> Any:
    """Return the message, record or value that `data` carries; raises CodecError."""
    return WIRE.decode(data)
