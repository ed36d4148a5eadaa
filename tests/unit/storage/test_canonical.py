"""Hold audit bodies to one text, made once and travelling as text."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvariantViolation
from domain.outbox import AuditEvent, AuditKind
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
    assert body == VALUES
    assert VALUES == body
    assert (body["lots"], len(body), list(body)) == (3, 4, list(VALUES))
    assert AuditEvent(AuditKind.VOTE, 1, 1, "k", True, body) == AuditEvent(
        AuditKind.VOTE, 1, 1, "k", True, VALUES
    )


def test_a_body_is_encoded_once() -> None:
    """A second encoding would read the values again."""

    class Counted(dict[str, Any]):
        reads = 0

        def __iter__(self) -> Iterator[str]:
            Counted.reads += 1
            return super().__iter__()

        def items(self) -> Any:
            Counted.reads += 1
            return super().items()

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
