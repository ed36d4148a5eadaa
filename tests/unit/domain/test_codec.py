"""Hold the codec to its word: what it carries comes back equal and of the same type, and rubbish is refused."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.bars import Bar, BarGroup
from domain.broker import BrokerUpdate, OrderType, PlaceOrder, Side, TimeInForce
from domain.codec import WIRE_CLASSES, Codec, decode, encode
from domain.errors import CodecError
from domain.messages import BarsPublished, TimerFired
from domain.outbox import AuditEvent, AuditKind
from domain.records import Rung

INT64 = st.integers(-(2**63), 2**63 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(max_size=12)
JSONABLE = st.recursive(
    st.none() | st.booleans() | INT64 | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ORDER = PlaceOrder(
    order_ref="1.main.AAPL.7.0",
    symbol="AAPL",
    side=Side.BUY,
    lots=10,
    order_type=OrderType.LIMIT,
    time_in_force=TimeInForce.DAY,
    limit_price=0.1 + 0.2,
    stop_price=0.0,
    attached_stop_pct=0.03,
    oca_group="",
)


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Draw values of an annotation, whatever the class."""
    simple = {
        int: INT64,
        float: FINITE,
        str: TEXT,
        bool: st.booleans(),
        Any: JSONABLE,
        types.NoneType: st.none(),
    }
    if kind in simple:
        return simple[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (tuple, Sequence):
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    if origin in (types.UnionType, typing.Union):
        return st.one_of([values_of(argument) for argument in arguments])
    if origin is Mapping:
        return st.dictionaries(TEXT, JSONABLE, max_size=3)
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    hints = typing.get_type_hints(kind)
    names = kind._fields if issubclass(kind, tuple) else [f.name for f in dataclasses.fields(kind)]
    fields = {name: values_of(hints[name]) for name in names}
    if kind is Bar:
        fields["volume"] = FINITE | st.just(math.nan)
    return st.builds(kind, **fields)


@pytest.mark.parametrize("cls", WIRE_CLASSES, ids=lambda cls: cls.__name__)
def test_every_registered_class_comes_back_as_it_went(cls: type[Any]) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(values_of(cls))
    def round_trip(value: Any) -> None:
        # repr tells -0.0 from 0.0 and one enum from another, and lets NaN equal NaN
        assert repr(decode(encode(value))) == repr(value)

    round_trip()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_come_back_bit_for_bit(number: float) -> None:
    back = decode(encode(dataclasses.replace(ORDER, limit_price=number))).limit_price
    assert (back, math.copysign(1, back)) == (number, math.copysign(1, number))


def test_a_missing_volume_survives_as_nan() -> None:
    bar = Bar("A", 1.0, 1.0, 1.0, 1.0, math.nan, 0.0)
    back = decode(encode(BarsPublished(group=BarGroup(0, 1, 2, 3, (bar,)))))
    assert math.isnan(back.group.bars[0].volume)
    assert type(back.group.bars[0]) is Bar


def test_a_tuple_of_known_values_comes_back_as_a_tuple() -> None:
    assert decode(encode((ORDER, Side.SELL, ()))) == (ORDER, Side.SELL, ())


def test_an_integer_stands_for_a_float_only_where_it_is_one_exactly() -> None:
    back = decode(encode(dataclasses.replace(ORDER, limit_price=155)))
    assert back.limit_price == 155.0
    assert type(back.limit_price) is float
    with pytest.raises(CodecError):
        encode(dataclasses.replace(ORDER, limit_price=2**53 + 1))


@pytest.mark.parametrize(
    "change",
    [
        {"limit_price": math.nan},
        {"limit_price": math.inf},
        {"limit_price": "1.0"},
        {"lots": 1.0},
        {"lots": True},
        {"lots": 2**63},
        {"symbol": None},
        {"symbol": "\ud800"},
        {"side": "buy"},
        {"side": OrderType.LIMIT},
    ],
    ids=str,
)
def test_a_value_of_the_wrong_type_is_refused_on_the_way_out(change: dict[str, Any]) -> None:
    with pytest.raises(CodecError):
        encode(dataclasses.replace(ORDER, **change))


def test_a_class_outside_the_registry_is_refused() -> None:
    class Bar(typing.NamedTuple):
        symbol: str

    for stranger in (Bar("AAPL"), {"a": 1}, 1, None, [ORDER]):
        with pytest.raises(CodecError):
            encode(stranger)


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d | {"type": "Missing"},
        lambda d: d | {"type": 3},
        lambda d: d | {"extra": 1},
        lambda d: {k: v for k, v in d.items() if k != "lots"},
        lambda d: {k: v for k, v in d.items() if k != "type"},
        lambda d: d | {"lots": 1.0},
        lambda d: d | {"lots": True},
        lambda d: d | {"lots": None},
        lambda d: d | {"lots": 2**63},
        lambda d: d | {"limit_price": 1},
        lambda d: d | {"limit_price": None},
        lambda d: d | {"side": "hold"},
        lambda d: d | {"side": ["buy"]},
        lambda d: d | {"symbol": 5},
        lambda d: [d],
        lambda d: {"type": "tuple", "items": d},
        lambda d: {"type": "Bar", "value": ["A", 1.0]},
        lambda d: {"type": "Rung", "value": True},
    ],
)
def test_an_object_that_is_not_exactly_the_class_is_refused(edit: Any) -> None:
    with pytest.raises(CodecError):
        decode(json.dumps(edit(json.loads(encode(ORDER)))).encode())


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(constant: str) -> None:
    data = encode(dataclasses.replace(ORDER, limit_price=7.25)).replace(b"7.25", constant.encode())
    with pytest.raises(CodecError):
        decode(data)


def test_a_doubled_field_and_a_deep_or_endless_text_are_refused() -> None:
    doubled = encode(ORDER).replace(b'"lots":10', b'"lots":10,"lots":10')
    for rubbish in (
        doubled,
        b"[" * 200_000,
        b"9" * 5_000,
        b"",
        b"\xff\xfe",
        b'"\\ud800"',
        b'{"type":"TimerFired"',
    ):
        with pytest.raises(CodecError):
            decode(rubbish)


@given(st.binary(max_size=60))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        decode(data)


@given(st.data())
def test_a_broken_message_is_refused_or_still_a_message(data: st.DataObject) -> None:
    good = bytearray(encode(BrokerUpdate(at_ns=5, advanced=1, events=())))
    good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        back = decode(bytes(good))
    except CodecError:
        return
    assert type(back) is BrokerUpdate


def test_bodies_keep_their_values_and_turn_tuples_into_lists() -> None:
    body = {"rung": Rung.HALTED, "pair": (1, 2.5), "none": None, "deep": {"a": [True]}}
    back = decode(encode(AuditEvent(AuditKind.HALT, 1, 2, "k", True, body)))
    assert back.body == {"rung": 2, "pair": [1, 2.5], "none": None, "deep": {"a": [True]}}
    for value in (math.nan, b"x", object(), {1: 2}):
        with pytest.raises(CodecError):
            encode(AuditEvent(AuditKind.HALT, 1, 2, "k", True, {"x": value}))


def test_a_class_that_cannot_be_carried_is_refused_when_the_codec_is_made() -> None:
    @dataclasses.dataclass(frozen=True)
    class Odd:
        values: list[int]

    @dataclasses.dataclass
    class Loose:
        name: str

    for cls in (Odd, Loose):
        with pytest.raises(TypeError):
            Codec([cls])
    with pytest.raises(TypeError, match="two classes"):
        Codec([TimerFired, dataclasses.make_dataclass("TimerFired", [("name", str)], frozen=True)])


BARS = tuple(Bar(name, 1.5, 2.0, 1.0, 1.75, 100.0, 0.0) for name in ("A", "B", "C"))


@pytest.mark.parametrize("odd", [{"open": 1.0}, {"volume": math.nan}, {"symbol": "Æ"}], ids=str)
def test_one_row_that_needs_converting_changes_nothing_for_the_others(odd: dict[str, Any]) -> None:
    bars = (BARS[0], BARS[1]._replace(**odd), BARS[2])
    assert repr(decode(encode(BarGroup(0, 1, 2, 3, bars))).bars) == repr(bars)


def test_an_integer_among_many_rows_becomes_the_float_it_stands_for() -> None:
    (first, second, _) = decode(
        encode(BarGroup(0, 1, 2, 3, (BARS[0], BARS[1]._replace(open=1), BARS[2])))
    ).bars
    assert (first, second.open, type(second.open)) == (BARS[0], 1.0, float)


@pytest.mark.parametrize(
    "wrong",
    [{"open": math.inf}, {"open": math.nan}, {"open": None}, {"open": True}, {"symbol": "\ud800"}],
    ids=str,
)
def test_one_wrong_value_among_many_rows_is_refused_on_the_way_out(wrong: dict[str, Any]) -> None:
    with pytest.raises(CodecError):
        encode(BarGroup(0, 1, 2, 3, (*BARS, BARS[0]._replace(**wrong))))


@pytest.mark.parametrize(
    "row",
    [
        ["A", 1.5, 2.0, 1.0, 1.75, 100.0],
        ["A", 1.5, 2.0, 1.0, 1.75, 100.0, 0.0, 0.0],
        ["A", 1, 2.0, 1.0, 1.75, 1.0, 0.0],
        [5, 1.5, 2.0, 1.0, 1.75, 100.0, 0.0],
        "A123456",
        None,
    ],
    ids=str,
)
def test_one_wrong_row_among_many_is_refused_on_the_way_in(row: Any) -> None:
    written = json.loads(encode(BarGroup(0, 1, 2, 3, BARS)))
    with pytest.raises(CodecError):
        decode(json.dumps(written | {"bars": [*written["bars"], row]}).encode())


def test_rows_of_another_class_are_refused() -> None:
    class Other(typing.NamedTuple):
        symbol: str

    with pytest.raises(CodecError):
        encode(BarGroup(0, 1, 2, 3, (Other("A"),)))  # type: ignore[arg-type]


def test_a_writer_that_refuses_a_value_is_a_codec_error() -> None:
    def refuses(value: Any) -> bytes:
        raise TypeError("too deep")

    with pytest.raises(CodecError, match="too deep"):
        Codec(WIRE_CLASSES, refuses).encode(ORDER)
