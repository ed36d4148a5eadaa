"""Hold the venue link's quicker text to what the plain codec promises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import codec
from domain.bars import Bar, BarGroup
from domain.errors import CodecError
from domain.messages import BarsPublished
from simulation.venue.frames import LINK_CODEC, ClientRole, Hello

GROUP = BarGroup(0, 1, 2, 3, tuple(Bar(name, 1.5, 2.0, 1.0, 1.75, 7.25, 0.0) for name in ("A", "B")))
PRICES = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.builds(Bar, st.text(max_size=4), *[PRICES] * 6), max_size=4))
def test_bars_come_back_bit_for_bit_and_as_the_plain_codec_reads_them(bars: list[Bar]) -> None:
    group = BarGroup(0, -(2**63), 2**63 - 1, 3, tuple(bars))
    written = LINK_CODEC.encode(group)
    assert repr(LINK_CODEC.decode(written)) == repr(codec.decode(written)) == repr(group)


def test_what_the_plain_codec_writes_is_read() -> None:
    published = BarsPublished(group=GROUP)
    spaced = json.dumps(json.loads(codec.encode(published)), indent=1).encode()
    assert LINK_CODEC.decode(codec.encode(published)) == LINK_CODEC.decode(spaced) == published


@pytest.mark.parametrize(
    ("found", "put"),
    [
        (b'"index":0', b'"index":0,"index":0'),
        (b'"index":0', b'"index":18446744073709551616'),
        (b'"index":0', b'"index":9223372036854775808'),
        (b'"index":0', b'"index":0.0'),
        (b"7.25", b"NaN"),
        (b"7.25", b"Infinity"),
        (b"7.25", b"1e999"),
        (b"7.25", b"7"),
        (b"7.25", b'"7.25"'),
        (b"7.25", b"[" * 2_000),
        (b"7.25", b"[" * 300 + b"]" * 300),
        (b'"A"', b'"\\ud800"'),
        (b'"A"', b"\xff"),
        (b"]}", b"]"),
        (b"]}", b"]}x"),
    ],
)
def test_what_is_no_message_is_refused_whichever_reader_sees_it(found: bytes, put: bytes) -> None:
    broken = LINK_CODEC.encode(GROUP).replace(found, put, 1)
    for reader in (LINK_CODEC, codec.WIRE):
        with pytest.raises(CodecError):
            reader.decode(broken)


@pytest.mark.parametrize("value", ["\ud800", 1, None])
def test_what_cannot_travel_is_refused_on_the_way_out(value: Any) -> None:
    with pytest.raises(CodecError):
        LINK_CODEC.encode(Hello(role=ClientRole.MARKET, token=value))
