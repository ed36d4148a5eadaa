"""Rule an order's life: one table from (state, event) to state.

    SENT ──► WORKING ──► PARTIALLY_FILLED ──► FILLED
      │         │               │
      │         └──► CANCEL_SENT┴──► CANCELED / EXPIRED / REFUSED
      └──► UNKNOWN ──► (whatever the venue says) or NEVER_ARRIVED

An execution counts in every state: a fill may cross a cancel on the wire, and an order given up as never arrived may
still turn up. Events that a state does not name are contradictions and raise.
"""

from __future__ import annotations

from enum import StrEnum

from domain.broker import OrderStatus
from domain.errors import InvariantViolation
from domain.records import OrderState as S


class OrderEvent(StrEnum):
    """Name what happens to an order."""

    WORKING = "working"
    PARTLY_EXECUTED = "partly_executed"
    EXECUTED = "executed"
    CANCEL_SENT = "cancel_sent"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REFUSED = "refused"
    OUTCOME_LOST = "outcome_lost"
    ABSENT_TWICE = "absent_twice"
    RESOLVED = "resolved"


E = OrderEvent

OPEN_STATES = frozenset({S.SENT, S.WORKING, S.PARTIALLY_FILLED, S.CANCEL_SENT, S.UNKNOWN})
"""States in which an order may still be filled, so that its exposure stays reserved."""

FINAL_STATES = frozenset(S) - OPEN_STATES

BY_GATEWAY_ITSELF = "gateway: "
"""How the text of an order begins that the gateway refused by itself: it never reached a venue."""

LOSABLE_STATES = frozenset({S.SENT, S.CANCEL_SENT})
"""States in which a lost connection leaves the outcome unknown."""

UNANSWERED_STATES = LOSABLE_STATES | {S.UNKNOWN}
"""States in which the venue's word is still to come."""

STATUS_EVENTS = {
    OrderStatus.WORKING: E.WORKING,
    OrderStatus.FILLED: E.EXECUTED,
    OrderStatus.CANCELED: E.CANCELED,
    OrderStatus.EXPIRED: E.EXPIRED,
    OrderStatus.REFUSED: E.REFUSED,
}

_ENDS = {E.EXECUTED: S.FILLED, E.CANCELED: S.CANCELED, E.EXPIRED: S.EXPIRED, E.REFUSED: S.REFUSED}

TRANSITIONS: dict[tuple[S, OrderEvent], S] = {
    # An order at the venue, or on its way there.
    (S.SENT, E.WORKING): S.WORKING,
    (S.WORKING, E.WORKING): S.WORKING,
    (S.PARTIALLY_FILLED, E.WORKING): S.PARTIALLY_FILLED,
    (S.CANCEL_SENT, E.WORKING): S.CANCEL_SENT,
    (S.UNKNOWN, E.WORKING): S.WORKING,
    (S.SENT, E.PARTLY_EXECUTED): S.PARTIALLY_FILLED,
    (S.WORKING, E.PARTLY_EXECUTED): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, E.PARTLY_EXECUTED): S.PARTIALLY_FILLED,
    (S.CANCEL_SENT, E.PARTLY_EXECUTED): S.CANCEL_SENT,
    (S.UNKNOWN, E.PARTLY_EXECUTED): S.PARTIALLY_FILLED,
    **{(state, event): end for state in OPEN_STATES for event, end in _ENDS.items()},
    # What the gateway does or finds.
    (S.SENT, E.CANCEL_SENT): S.CANCEL_SENT,
    (S.WORKING, E.CANCEL_SENT): S.CANCEL_SENT,
    (S.PARTIALLY_FILLED, E.CANCEL_SENT): S.CANCEL_SENT,
    (S.CANCEL_SENT, E.CANCEL_SENT): S.CANCEL_SENT,
    (S.UNKNOWN, E.CANCEL_SENT): S.UNKNOWN,
    **{(state, E.OUTCOME_LOST): S.UNKNOWN for state in OPEN_STATES},
    (S.UNKNOWN, E.ABSENT_TWICE): S.NEVER_ARRIVED,
    (S.UNKNOWN, E.RESOLVED): S.NEVER_ARRIVED,  # a person looked
    # After the end: reports repeat, and a fill may have crossed the end on the wire.
    **{(end, event): end for end in _ENDS.values() for event in (*_ENDS, E.PARTLY_EXECUTED, E.WORKING)},
    **{(end, E.EXECUTED): S.FILLED for end in _ENDS.values()},
    # Given up, and yet it arrived: adopted.
    (S.NEVER_ARRIVED, E.WORKING): S.WORKING,
    (S.NEVER_ARRIVED, E.PARTLY_EXECUTED): S.PARTIALLY_FILLED,
    **{(S.NEVER_ARRIVED, event): end for event, end in _ENDS.items()},
}


def next_state(state: S, event: OrderEvent) -> S:
    """Return the state after `event`; raises InvariantViolation where the table has no such pair."""
    try:
        return TRANSITIONS[(state, event)]
    except KeyError:
        raise InvariantViolation(f"an order in state {state.value} cannot meet {event.value}") from None
