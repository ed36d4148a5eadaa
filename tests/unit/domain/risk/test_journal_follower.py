"""What the risk manager missed of the gateway's journal is asked for until it has come."""

from __future__ import annotations

from domain.messages import GATEWAY, RISK, JournalUpdate, RequestJournal
from domain.outputs import CancelTimer, Send, SetTimer
from domain.records import JournalEntry
from domain.risk.book_keeping import BookKeeping
from domain.risk.journal_follower import JOURNAL_TIMER, JournalFollower
from tests.fakes.records import order
from tests.unit.domain.risk.bench import settings

AGAIN = SetTimer(JOURNAL_TIMER, 6.0)
ASKED = Send(GATEWAY, RequestJournal(requester=RISK, after_seq=0))


def update(*entries: JournalEntry, head: int, last: bool = False, advanced: int = -1) -> JournalUpdate:
    after = entries[0].seq - 1 if entries else head
    return JournalUpdate(at_ns=0, advanced=advanced, entries=entries, after_seq=after, head=head, last=last)


def follower() -> JournalFollower:
    return JournalFollower(BookKeeping(settings(), None), 6.0, 0)


def test_a_bar_told_again_does_not_put_off_the_asking() -> None:
    """Fault search, seed 167: the request was lost, and a bar published again every 6 s renewed the wait each time."""
    follows = follower()
    assert follows.ask() == [ASKED, AGAIN]
    for _ in range(3):
        assert follows.take(update(head=0, advanced=5)) == []
    assert follows.overdue() == [ASKED, AGAIN]


def test_a_part_of_the_answer_renews_the_wait_and_its_end_ends_it() -> None:
    follows = follower()
    follows.ask()
    assert follows.take(update(order(1), head=1)) == [AGAIN]
    assert follows.behind
    assert follows.take(update(head=1, last=True)) == [CancelTimer(JOURNAL_TIMER)]
    assert not follows.behind
