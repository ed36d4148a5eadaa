"""Test the two-lane mailbox."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.mailbox import LaneMailbox
from domain.errors import MailboxFull


@given(st.lists(st.tuples(st.integers(), st.booleans()), max_size=60))
def test_control_comes_first_and_each_lane_keeps_its_order(puts: list[tuple[int, bool]]) -> None:
    mailbox = LaneMailbox("a")
    for number, control in puts:
        mailbox.put((number, control), control=control)
    taken = [mailbox.take(0.0) for _ in puts]
    assert taken == [put for put in puts if put[1]] + [put for put in puts if not put[1]]
    assert mailbox.take(0.0) is None


@pytest.mark.parametrize("control", [False, True])
def test_full_lane_refuses_and_keeps_what_it_holds(control: bool) -> None:
    mailbox = LaneMailbox("gateway", capacity=2, control_capacity=2)
    mailbox.put(1, control=control)
    mailbox.put(2, control=control)
    with pytest.raises(MailboxFull, match=r"lane of gateway holds 2 messages.*int was refused"):
        mailbox.put(3, control=control)
    mailbox.put(9, control=not control)
    assert {mailbox.take(0.0) for _ in range(3)} == {1, 2, 9}


def test_take_waits_for_a_message_of_another_thread() -> None:
    mailbox = LaneMailbox("a")
    threading.Timer(0.05, mailbox.put, ["late"]).start()
    assert mailbox.take(10.0) == "late"


def test_take_gives_up_after_its_time() -> None:
    started_s = time.monotonic()
    assert LaneMailbox("a").take(0.05) is None
    assert time.monotonic() - started_s >= 0.045


def test_closed_mailbox_keeps_nothing_and_wakes_who_waits() -> None:
    mailbox = LaneMailbox("a")
    taken: list[object] = []
    waiter = threading.Thread(target=lambda: taken.append(mailbox.take()))
    waiter.start()
    mailbox.close()
    waiter.join(10.0)
    mailbox.put("after")
    assert taken == [None]
    assert mailbox.take(0.0) is None
    assert mailbox.depths() == (0, 0)


def test_no_message_of_many_threads_is_lost_or_doubled() -> None:
    mailbox = LaneMailbox("a")

    def put(sender: int) -> None:
        for number in range(200):
            mailbox.put((sender, number), control=number % 10 == 0)

    threads = [threading.Thread(target=put, args=(sender,)) for sender in range(4)]
    for thread in threads:
        thread.start()
    taken: list[tuple[int, int]] = [mailbox.take(10.0) or (-1, -1) for _ in range(800)]
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted((sender, number) for sender in range(4) for number in range(200))
    for sender in range(4):
        normal = [number for who, number in taken if who == sender and number % 10]
        assert normal == sorted(normal)
