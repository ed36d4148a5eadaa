"""Hold audit bodies to one text, made once and travelling as text."""

from __future__ import annotations

import copy
import json
import math
import pickle
from collections import UserDict
from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvariantViolation
from domain.outbox import AuditEvent, AuditKind, OutboxAcknowledged
from storage.canonical import WrittenBody, canonical

VALUES = {"symbol": "AAPL", "lots": 3, "votes": {"b": 1, "a": -1}, "price": 155.25}
BODIES = st.dictionaries(
    st.text(max_size=5), st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
)


@given(BODIES)
def test_a_written_body_has_the_text_of_its_values(values: dict[str, Any]) -> None:
    assert canonical(WrittenBody(values)) == canonical(values)


def test_a_written_body_equals_and_reads_like_its_values() -> None:
    body = WrittenBody(VALUES)
    plain = dict(VALUES)
    assert body == plain
    assert plain == body
    assert (body["lots"], len(body), list(body)) == (3, 4, list(VALUES))
    assert AuditEvent(AuditKind.VOTE, 1, 1, "k", True, body) == AuditEvent(
        AuditKind.VOTE, 1, 1, "k", True, VALUES
    )


def test_a_body_is_encoded_once() -> None:
    """A second encoding would read the values again."""

    class Counted(UserDict[str, Any]):
        reads = 0

        def __iter__(self) -> Iterator[str]:
            Counted.reads += 1
            return super().__iter__()

    body = WrittenBody(Counted(VALUES))
    first = canonical(body)
    reads = Counted.reads
    assert canonical(body) == first
    assert Counted.reads == reads > 0


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda body: pickle.loads(pickle.dumps(body))])
def test_a_written_body_travels_as_its_text(copied: Any) -> None:
    body = WrittenBody({"close": math.nan, "n": 1})
    arrived = copied(body)
    assert canonical(arrived) == canonical(body) == '{"close":"nan","n":1}'
    assert arrived == {"close": "nan", "n": 1}


def test_what_json_has_no_form_for_is_refused_whenever_it_is_written() -> None:
    body = WrittenBody({"thing": object()})
    for _ in range(2):
        with pytest.raises(InvariantViolation, match="object"):
            canonical(body)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": {"d": [1.5, True], "c": "x"}}, '{"a":{"c":"x","d":[1.5,true]},"b":1}'),
        ({"pair": AuditEvent(AuditKind.VOTE, 1, 2, "k", True, {})}, '{"pair":["vote",1,2,"k",true,{}]}'),
        ({"kind": AuditKind.VOTE, "n": np.float64(0.25), "s": {"b", "a"}}, '{"kind":"vote","n":0.25,"s":["a","b"]}'),
        ({"a": 0.1 + 0.2, "b": 1e22, "c": -0.0}, '{"a":0.30000000000000004,"b":1e+22,"c":-0.0}'),
        ({"a": 7.079400174325764e-05}, '{"a":0.00007079400174325764}'),
        ({"a": None, "b": 7.079400174325764e-05}, '{"a":null,"b":7.079400174325764e-05}'),
        ({"a": math.inf, "b": [-math.inf, math.nan]}, '{"a":"inf","b":["-inf","nan"]}'),
        ({"a": "é\x7f\x01\n\"/"}, '{"a":"\\u00e9\\u007f\\u0001\\n\\"/"}'),
        ({"a": "\x7f\x01\n\"/"}, '{"a":"\x7f\\u0001\\n\\"/"}'),
        ({"a": "\udc80"}, '{"a":"\\udc80"}'),
        ({"a": 2**64, 3: 1}, None),
        ({"a": 2**64}, '{"a":18446744073709551616}'),
        ({3: 1}, '{"3":1}'),
    ],
)  # fmt: skip
def test_each_kind_of_value_has_its_text(value: dict[Any, Any], text: str | None) -> None:
    """Known answers: what a release of orjson spelled otherwise would change the digest of equal decisions."""
    if text is None:
        with pytest.raises(InvariantViolation):
            canonical(value)
    else:
        assert canonical(value) == text


@pytest.mark.parametrize(
    "value", [{"a": date(2024, 1, 2)}, {"a": OutboxAcknowledged(source="risk", seq=1)}], ids=str
)
def test_what_only_orjson_has_a_form_for_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(InvariantViolation):
        canonical(value)


@given(BODIES)
def test_the_text_is_ascii_and_says_what_the_body_says(values: dict[str, Any]) -> None:
    text = canonical(values)
    spelled = {
        key: repr(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in values.items()
    }
    assert text.isascii()
    assert repr(json.loads(text)) == repr(dict(sorted(spelled.items())))
