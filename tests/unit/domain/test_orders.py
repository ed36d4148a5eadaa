from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.broker import OrderStatus
from domain.errors import InvariantViolation
from domain.orders import FINAL_STATES, OPEN_STATES, STATUS_EVENTS, TRANSITIONS, OrderEvent, next_state
from domain.records import OrderState

S, E = OrderState, OrderEvent
VENUE_WORDS = [E.WORKING, E.PARTLY_EXECUTED, E.EXECUTED, E.CANCELED, E.EXPIRED, E.REFUSED]

LIVES = [
    ([E.WORKING, E.PARTLY_EXECUTED, E.EXECUTED], S.FILLED),
    ([E.EXECUTED, E.WORKING], S.FILLED),
    ([E.WORKING, E.CANCEL_SENT, E.CANCELED], S.CANCELED),
    ([E.WORKING, E.CANCEL_SENT, E.WORKING], S.CANCEL_SENT),
    ([E.CANCEL_SENT, E.PARTLY_EXECUTED, E.EXECUTED], S.FILLED),
    ([E.CANCEL_SENT, E.CANCELED, E.PARTLY_EXECUTED], S.CANCELED),
    ([E.CANCEL_SENT, E.CANCELED, E.EXECUTED], S.FILLED),
    ([E.REFUSED], S.REFUSED),
    ([E.WORKING, E.EXPIRED], S.EXPIRED),
    ([E.OUTCOME_LOST], S.UNKNOWN),
    ([E.OUTCOME_LOST, E.CANCEL_SENT], S.UNKNOWN),
    ([E.OUTCOME_LOST, E.WORKING], S.WORKING),
    ([E.OUTCOME_LOST, E.EXECUTED], S.FILLED),
    ([E.OUTCOME_LOST, E.ABSENT_TWICE], S.NEVER_ARRIVED),
    ([E.OUTCOME_LOST, E.ABSENT_TWICE, E.WORKING], S.WORKING),
    ([E.OUTCOME_LOST, E.ABSENT_TWICE, E.EXECUTED], S.FILLED),
    ([E.OUTCOME_LOST, E.ABSENT_TWICE, E.PARTLY_EXECUTED], S.PARTIALLY_FILLED),
]


@pytest.mark.parametrize(("events", "end"), LIVES)
def test_an_order_lives_by_the_table(events: list[OrderEvent], end: OrderState) -> None:
    state = S.SENT
    for event in events:
        state = next_state(state, event)
    assert state is end


@pytest.mark.parametrize("state", sorted(S))
@pytest.mark.parametrize("event", VENUE_WORDS)
def test_whatever_a_venue_says_is_taken_in_every_state(state: OrderState, event: OrderEvent) -> None:
    """An execution counts in every state: a fill may cross a cancel, a given-up order may turn up (I2, I3)."""
    assert next_state(state, event) in S


@pytest.mark.parametrize("state", sorted(S))
def test_an_order_never_returns_to_sent(state: OrderState) -> None:
    """I1: what was sent once is never waiting to be sent again."""
    assert [event for event in E if TRANSITIONS.get((state, event)) is S.SENT] == []


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (S.SENT, E.ABSENT_TWICE),
        (S.WORKING, E.ABSENT_TWICE),
        (S.CANCEL_SENT, E.ABSENT_TWICE),
        (S.FILLED, E.ABSENT_TWICE),
        (S.FILLED, E.CANCEL_SENT),
        (S.CANCELED, E.OUTCOME_LOST),
        (S.NEVER_ARRIVED, E.CANCEL_SENT),
        (S.NEVER_ARRIVED, E.OUTCOME_LOST),
    ],
)
def test_a_contradiction_raises_and_names_both_sides(state: OrderState, event: OrderEvent) -> None:
    with pytest.raises(InvariantViolation, match=f"{state.value} cannot meet {event.value}"):
        next_state(state, event)


def test_only_an_unknown_order_is_given_up() -> None:
    assert [pair for pair, end in TRANSITIONS.items() if end is S.NEVER_ARRIVED] == [
        (S.UNKNOWN, E.ABSENT_TWICE),
        (S.UNKNOWN, E.RESOLVED),
    ]


def test_open_and_final_states_part_all_states() -> None:
    assert frozenset(S) == OPEN_STATES | FINAL_STATES
    assert not OPEN_STATES & FINAL_STATES
    assert S.UNKNOWN in OPEN_STATES, "exposure of an unknown order stays reserved"
    assert S.NEVER_ARRIVED in FINAL_STATES


def test_every_status_of_a_venue_has_its_event() -> None:
    assert set(STATUS_EVENTS) == set(OrderStatus)


@given(st.lists(st.sampled_from(VENUE_WORDS), max_size=12))
def test_an_ended_order_never_opens_again(words: list[OrderEvent]) -> None:
    state = S.SENT
    ended = False
    for word in words:
        state = next_state(state, word)
        assert not (ended and state in OPEN_STATES)
        ended = state in FINAL_STATES
