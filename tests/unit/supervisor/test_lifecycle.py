"""Test the order of start and stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import ConfigurationError
from supervisor.child_spec import ChildSpec
from supervisor.lifecycle import start_waves, stop_waves


def child(role: str, *after: str) -> ChildSpec:
    return ChildSpec(role=role, factory="m:f", after=after)


ENGINE = (
    child("feed", "strategy:b", "strategy:a", "risk"),
    child("strategy:a", "risk"),
    child("strategy:b", "risk"),
    child("risk", "gateway"),
    child("gateway", "coordinator"),
    child("coordinator", "audit"),
    child("audit"),
)
WAVES = (("audit",), ("coordinator",), ("gateway",), ("risk",), ("strategy:a", "strategy:b"), ("feed",))


def test_audit_starts_first_and_stops_last() -> None:
    assert start_waves(ENGINE) == WAVES
    assert stop_waves(ENGINE) == tuple(reversed(WAVES))


@given(st.permutations(ENGINE))
def test_order_of_description_does_not_matter(specs: list[ChildSpec]) -> None:
    assert start_waves(specs) == WAVES


@pytest.mark.parametrize(
    ("specs", "text"),
    [
        ((child("a", "b"), child("b", "c"), child("c", "b")), r"in a circle: b -> c -> b"),
        ((child("a", "a"),), r"in a circle: a -> a"),
        ((child("a", "risc"), child("risk")), r"a after risc; known: a, risk"),
        ((child("a"), child("a")), r"more than once: a"),
    ],
)
def test_impossible_descriptions_are_refused(specs: tuple[ChildSpec, ...], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        start_waves(specs)
