"""Send beside the engine: no channel waits for another, and nobody who alerts waits for any (requirements B2, B7)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from tenacity import RetryCallState, Retrying

from actors.alert_channels import Channel, DeliveryFailed
from actors.alert_queue import AlertQueue
from actors.alert_sender import AlertSender, wait_s
from domain.alerts import (
    LOG,
    Alert,
    AlertsSent,
    AlertTerms,
    ChannelFigures,
    ChannelTerms,
    SendingTerms,
    Severity,
)
from domain.errors import ConfigurationError, MailboxFull
from tests.fakes.ports import FakeLog

SENDING = SendingTerms(3, 0.01, 0.05, 2.0, 0.5, 5.0)


def alert(number: int, severity: Severity = Severity.CRITICAL, *, replayed: bool = False) -> Alert:
    return Alert(severity, f"alert {number}", replayed=replayed)


class Recorder:
    """Be a channel that keeps what it gets; fails the first `failures` times, waits on `gate`."""

    def __init__(self, failures: int = 0, gate: threading.Event | None = None) -> None:
        self.taken: list[str] = []
        self.tries = 0
        self._failures, self._gate = failures, gate

    def deliver(self, alert: Alert) -> None:
        self.tries += 1
        if self._gate is not None:
            self._gate.wait(30.0)
        if self.tries <= self._failures:
            raise DeliveryFailed("not now")
        self.taken.append(alert.title)


class Box:
    """Be the coordinator's mailbox."""

    def __init__(self, full: bool = False) -> None:
        self.told: list[AlertsSent] = []
        self._full = full

    def put(self, message: Any, *, control: bool = False) -> None:
        assert control
        if self._full:
            raise MailboxFull("full")
        self.told.append(message)


def terms(*channels: ChannelTerms, **others: Any) -> AlertTerms:
    values: dict[str, Any] = {"sending": SENDING, "queue": 100, "closing_s": 5.0, "replayed": False}
    return AlertTerms(channels=channels, **{**values, **others})


def heard(name: str, least: Severity = Severity.INFO, target: str = "BREAKWATER_ALERT_X") -> ChannelTerms:
    return ChannelTerms(name, least, target)


def sender_of(all_terms: AlertTerms, **channels: Channel) -> AlertSender:
    return AlertSender(all_terms, {name: partial(_same, each) for name, each in channels.items()}, FakeLog())


def _same(channel: Channel) -> Channel:
    return channel


def until(holds: Callable[[], bool], within_s: float = 10.0) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_every_channel_gets_every_alert_in_order() -> None:
    first, second = Recorder(), Recorder()
    sender = sender_of(terms(heard("a"), heard("b")), a=first, b=second)
    sender.start()
    for number in range(5):
        sender.send(alert(number))
    sender.close()
    assert first.taken == second.taken == [f"alert {number}" for number in range(5)]


def test_channel_hears_what_is_as_grave_as_its_least_and_graver() -> None:
    channel = Recorder()
    sender = sender_of(terms(heard("a", Severity.WARNING)), a=channel)
    sender.start()
    for severity in Severity:
        sender.send(alert(int(severity), severity))
    sender.close()
    assert channel.taken == ["alert 1", "alert 2"]


@pytest.mark.parametrize(("wanted", "mail"), [(False, ["alert 1"]), (True, ["alert 0", "alert 1"])])
def test_what_replayed_bars_led_to_is_the_logs_alone_unless_all_want_it(
    wanted: bool, mail: list[str]
) -> None:
    by_mail, log = Recorder(), Recorder()
    sender = sender_of(terms(heard("mail"), heard("log", target=LOG), replayed=wanted), mail=by_mail, log=log)
    sender.start()
    sender.send(alert(0, replayed=True))
    sender.send(alert(1))
    sender.close()
    assert (by_mail.taken, log.taken) == (mail, ["alert 0", "alert 1"])


def test_failed_delivery_is_tried_again_and_then_counted() -> None:
    once, never = Recorder(failures=1), Recorder(failures=99)
    sender = sender_of(terms(heard("once"), heard("never")), once=once, never=never)
    box = Box()
    sender.open(box)
    sender.send(alert(1))
    until(lambda: len(box.told) >= 2)
    sender.close()
    assert (once.tries, once.taken, never.tries) == (2, ["alert 1"], 3)
    figures = {each.channel: each for each in sender.figures}
    assert figures["once"][1:4] == (1, 0, 0)
    assert figures["never"][1:4] == (0, 1, 0)
    assert figures["never"].error == "not now"
    assert box.told[-1].channels == sender.figures


def test_channel_that_hangs_delays_neither_another_nor_who_alerts() -> None:
    gate, well = threading.Event(), Recorder()
    sender = sender_of(
        terms(heard("hung"), heard("well"), closing_s=0.1), hung=Recorder(gate=gate), well=well
    )
    sender.start()
    begun = time.monotonic()
    for number in range(50):
        sender.send(alert(number))
    assert time.monotonic() - begun < 1.0
    until(lambda: len(well.taken) == 50, 5.0)
    sender.close()
    gate.set()


def test_engine_that_ends_waits_its_bounded_time_and_counts_what_is_left() -> None:
    gate = threading.Event()
    sender = sender_of(terms(heard("hung"), closing_s=0.2), hung=Recorder(gate=gate))
    sender.start()
    for number in range(3):
        sender.send(alert(number))
    begun = time.monotonic()
    sender.close()
    assert 0.15 < time.monotonic() - begun < 3.0
    assert sender.figures[0].dropped == 3
    gate.set()


def test_end_cuts_the_waits_between_tries_short() -> None:
    slow = SENDING._replace(first_delay_s=60.0, max_delay_s=60.0)
    channel = Recorder(failures=2)
    sender = sender_of(terms(heard("a"), sending=slow), a=channel)
    sender.start()
    sender.send(alert(1))
    until(lambda: channel.tries == 1)
    sender.close()
    assert channel.taken == ["alert 1"]


def test_try_that_answers_late_is_not_made_twice() -> None:
    gate = threading.Event()
    channel = Recorder(gate=gate)
    sender = sender_of(terms(heard("a"), sending=SENDING._replace(deadline_s=0.05, attempts=20)), a=channel)
    sender.start()
    sender.send(alert(1))
    time.sleep(0.2)
    gate.set()
    until(lambda: sender.figures[0].delivered == 1)
    sender.close()
    assert (channel.tries, channel.taken) == (1, ["alert 1"])


def test_try_that_hangs_for_good_fails_and_begins_no_other() -> None:
    gate = threading.Event()
    channel = Recorder(gate=gate)
    sender = sender_of(terms(heard("a"), sending=SENDING._replace(deadline_s=0.02)), a=channel)
    sender.start()
    sender.send(alert(1))
    sender.send(alert(2))
    until(lambda: sender.figures[0].failed == 2)
    assert channel.tries == 1
    assert sender.figures[0].error == "no answer within 0.02 s"
    gate.set()
    sender.close()


def test_channel_that_cannot_be_built_fails_what_it_is_sent_and_harms_nobody() -> None:
    def broken() -> Channel:
        raise ConfigurationError("its URL is none")

    well = Recorder()
    sender = AlertSender(terms(heard("bad"), heard("well")), {"bad": broken, "well": lambda: well}, FakeLog())
    sender.start()
    sender.send(alert(1))
    sender.close()
    figures = {each.channel: each for each in sender.figures}
    assert (figures["bad"].failed, figures["bad"].error, well.taken) == (1, "its URL is none", ["alert 1"])


def test_log_that_cannot_be_written_keeps_no_alert_from_a_channel() -> None:
    class FullDisk(FakeLog):
        def info(self, event: str, **values: Any) -> None:
            raise OSError(28, "No space left on device")

    channel = Recorder()
    sender = AlertSender(terms(heard("a")), {"a": lambda: channel}, FullDisk())
    sender.start()
    sender.send(alert(1))
    sender.send(alert(2))
    sender.close()
    assert channel.taken == ["alert 1", "alert 2"]
    assert "No space left" in sender.figures[0].error


def test_full_mailbox_of_the_coordinator_stops_no_channel() -> None:
    channel = Recorder()
    sender = sender_of(terms(heard("a")), a=channel)
    sender.open(Box(full=True))
    sender.send(alert(1))
    sender.send(alert(2))
    sender.close()
    assert channel.taken == ["alert 1", "alert 2"]


def test_sender_that_never_began_closes_at_once() -> None:
    sender_of(terms(heard("a")), a=Recorder()).close()
    assert sender_of(terms(heard("a")), a=Recorder()).figures == (ChannelFigures("a", 0, 0, 0, 0, ""),)


# --- the queue ------------------------------------------------------------


def drained(queue: AlertQueue) -> list[str]:
    queue.close()
    titles = []
    while (taken := queue.take()) is not None:
        titles.append(taken.title)
    return titles


def test_full_queue_drops_the_oldest_that_is_not_critical_and_counts() -> None:
    queue = AlertQueue(3)
    for number, severity in enumerate(
        (Severity.CRITICAL, Severity.INFO, Severity.WARNING, Severity.CRITICAL)
    ):
        queue.put(alert(number, severity))
    assert queue.dropped == 1
    assert drained(queue) == ["alert 0", "alert 2", "alert 3"]


def test_queue_full_of_critical_ones_takes_no_other_and_keeps_the_newest_critical() -> None:
    queue = AlertQueue(2)
    for number in (0, 1):
        queue.put(alert(number))
    queue.put(alert(2, Severity.WARNING))
    queue.put(alert(3))
    assert queue.dropped == 2
    assert drained(queue) == ["alert 1", "alert 3"]


# --- waits ------------------------------------------------------------


def state_of(attempt: int) -> RetryCallState:
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    return state


def test_waits_grow_to_their_bound_and_jitter_only_shortens_them() -> None:
    """B7: 1 s, 2 s, 4 s, ... at most 30 s, each shortened by up to half."""
    still, shaken = SendingTerms(9, 1.0, 30.0, 2.0, 0.0, 1.0), SendingTerms(9, 1.0, 30.0, 2.0, 0.5, 1.0)
    waits = [wait_s(still, state_of(attempt)) for attempt in range(1, 8)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert all(first <= second for first, second in pairwise(waits))
    found = [wait_s(shaken, state_of(2)) for _ in range(200)]
    assert 1.0 <= min(found) < max(found) <= 2.0
