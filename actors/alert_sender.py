"""Send alerts beside the engine: a queue and a thread for each channel, none of which waits for another.

tenacity may sleep here: the thread is the channel's own, and whoever alerts only puts something into a queue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from tenacity import RetryCallState, RetryError, Retrying, stop_after_attempt, wait_random

from actors.alert_channels import Channel, ChannelBuilder, DeliveryFailed
from actors.alert_queue import AlertQueue
from actors.logs import Log
from domain.alerts import LOG, Alert, AlertsSent, AlertTerms, ChannelFigures, ChannelTerms, SendingTerms
from domain.error_texts import describe
from domain.errors import BreakwaterError, MailboxFull
from domain.ports import Mailbox


class AlertSender:
    """Send each alert to every channel that hears it."""

    def __init__(self, terms: AlertTerms, builders: Mapping[str, ChannelBuilder], log: Log) -> None:
        """Have a thread for each channel of `terms`, which builds it by `builders` (by id) and notes to `log`."""
        self._terms = terms
        self._mailbox: Mailbox | None = None
        self._lines = tuple(
            _Line(each, terms, builders[each.id], log, self._changed) for each in terms.channels
        )

    def open(self, mailbox: Mailbox) -> None:
        """Begin to send, and tell `mailbox` what becomes of it."""
        self._mailbox = mailbox
        self.start()

    def start(self) -> None:
        """Begin to send, and tell nobody: `figures` does."""
        for line in self._lines:
            line.start()

    def send(self, alert: Alert) -> None:
        """Queue `alert` for the channels that hear it."""
        for line in self._lines:
            if line.hears(alert, replayed=self._terms.replayed):
                line.queue.put(alert)

    def close(self) -> None:
        """Give what waits `closing_s` seconds in all; what has not gone by then is counted as dropped, and logged."""
        until_s = time.monotonic() + self._terms.closing_s
        for line in self._lines:
            line.stop()
        for line in self._lines:
            line.join(until_s - time.monotonic())

    @property
    def figures(self) -> tuple[ChannelFigures, ...]:
        """Return what became of the alerts so far."""
        return tuple(line.figures for line in self._lines)

    def _changed(self) -> None:
        if self._mailbox is None:
            return
        with suppress(MailboxFull):  # the next change tells all of it again
            self._mailbox.put(AlertsSent(channels=self.figures), control=True)


class _Line:
    """Be one channel's queue, thread and counts."""

    def __init__(
        self,
        terms: ChannelTerms,
        all_terms: AlertTerms,
        build: ChannelBuilder,
        log: Log,
        changed: Callable[[], None],
    ) -> None:
        self._terms, self._build, self._log, self._changed = terms, build, log, changed
        self._sending = all_terms.sending
        self.queue = AlertQueue(all_terms.queue)
        self._delivered = self._failed = self._late = 0
        self._error = ""
        self._took_s = 0.0
        self._ending = threading.Event()
        self._hanging: _Try | None = None
        self._thread = threading.Thread(target=self._run, name=f"alerts {terms.id}", daemon=True)

    def hears(self, alert: Alert, *, replayed: bool) -> bool:
        """Say whether the channel is told of `alert`; what replayed bars led to hears the log, all if `replayed`."""
        if alert.severity < self._terms.least:
            return False
        return replayed or not alert.replayed or self._terms.target == LOG

    @property
    def figures(self) -> ChannelFigures:
        """Return the counts."""
        dropped = self.queue.dropped + self._late
        return ChannelFigures(
            self._terms.id, self._delivered, self._failed, dropped, len(self.queue), self._error, self._took_s
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End once the queue is empty; waits between tries are cut short from now on."""
        self._ending.set()
        self.queue.close()

    def join(self, for_s: float) -> None:
        """Wait for the end; what is left is dropped."""
        if self._thread.ident is None:
            return
        self._thread.join(max(0.0, for_s))
        if self._thread.is_alive():
            self._late = len(self.queue) + 1  # the one that is at hand
            self._log.error(
                "alerts_dropped", channel=self._terms.id, alerts=self._late, why="the engine ended"
            )

    def _run(self) -> None:
        channel: Channel | None = None
        try:
            channel = self._build()
        except Exception as error:  # the channel is of no use, and the engine must not be for that
            self._error = str(error) if isinstance(error, BreakwaterError) else describe(error)
            self._note(self._log.error, "channel_unusable", error=self._error)
            self._changed()
        while (alert := self.queue.take()) is not None:
            if channel is None:
                self._failed += 1
            else:
                self._deliver(channel, alert)
            self._changed()

    def _deliver(self, channel: Channel, alert: Alert) -> None:
        """Try until it is delivered or the tries are spent; count and log which."""
        begun_s = time.monotonic()
        retrying = Retrying(
            stop=stop_after_attempt(self._sending.attempts),
            wait=lambda state: wait_s(self._sending, state),
            sleep=self._pause,
        )
        try:
            retrying(self._within_deadline, channel, alert)
        except RetryError as error:
            self._failed += 1
            cause = error.last_attempt.exception()
            self._error = str(cause) if isinstance(cause, BreakwaterError) else type(cause).__name__
            self._took_s = round(time.monotonic() - begun_s, 3)
            self._note(self._log.error, "alert_failed", title=alert.title, error=self._error)
        else:
            self._delivered += 1
            self._took_s = round(time.monotonic() - begun_s, 3)
            self._note(self._log.info, "alert_sent", title=alert.title, took_s=self._took_s)

    def _pause(self, seconds: float) -> None:
        self._ending.wait(seconds)

    def _within_deadline(self, channel: Channel, alert: Alert) -> None:
        """Deliver in a thread of its own, and give up on it when the deadline passed: a socket has no such deadline.

        While one hangs that was given up on no other is begun. It may yet succeed, and nobody should be told twice.
        """
        hanging, self._hanging = self._hanging, None
        if hanging is not None:
            error = self._outcome(hanging)
            if hanging.alert is alert:
                if error is not None:
                    raise error
                return
        error = self._outcome(_Try(channel, alert))
        if error is not None:
            raise error

    def _outcome(self, tried: _Try) -> Exception | None:
        """Return why a delivery failed, None where it did not; raises DeliveryFailed where it has not ended in time."""
        if not tried.ends_within(self._sending.deadline_s):
            self._hanging = tried
            raise DeliveryFailed(f"no answer within {self._sending.deadline_s:g} s")
        return tried.error

    def _note(self, write: Callable[..., Any], event: str, **values: Any) -> None:
        """Write to the log; a disk that takes nothing must not keep alerts from those channels that need none."""
        try:
            write(event, channel=self._terms.id, **values)
        except OSError as error:
            self._error = f"the log cannot be written: {error.strerror or error}"


class _Try:
    """Be one delivery in a thread that may be given up on; `error` is why it failed, once it has ended."""

    def __init__(self, channel: Channel, alert: Alert) -> None:
        self._channel, self.alert = channel, alert
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="alert", daemon=True)
        self._thread.start()

    def ends_within(self, deadline_s: float) -> bool:
        """Wait for its end; return whether it came in time."""
        self._thread.join(deadline_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._channel.deliver(self.alert)
        except Exception as error:  # whatever it is, who waits judges it
            self.error = error


def wait_s(terms: SendingTerms, state: RetryCallState) -> float:
    """Return the seconds before the next try: growing, bounded, and shortened by a random share."""
    wait = min(terms.max_delay_s, terms.first_delay_s * terms.base ** (state.attempt_number - 1))
    return wait * (1.0 - float(wait_random(0.0, terms.jitter)(state)))
