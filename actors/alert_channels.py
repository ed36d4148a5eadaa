"""Deliver one message to one channel: the engine's own log, or whatever Apprise has a way to.

Apprise takes 30 MiB and a third of a second: it is loaded where a channel needs it, in the process that sends. What it
logs and raises may hold the URL, and so a password: nothing of that leaves here before it was taken out.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import unquote

from actors.logs import Log
from domain.alerts import LOG, Alert, ChannelTerms, Severity
from domain.errors import ConfigurationError, Recoverable

HIDDEN = "(not shown)"
_LEAST_SECRET = 4
"""Length from which a part of a URL is taken out of what is shown; shorter ones stand in any text."""

MOST_GAP_S = 0.5
"""Longest that Apprise may wait between two messages of a channel; its own 5.5 s would keep mail of a halt back.

A role that fails leads to three alerts at once, and the last should be there within 2 s too. A service that takes fewer
refuses, and is tried again.
"""

_TYPES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}
"""What Apprise calls each severity."""


class DeliveryFailed(Recoverable):
    """Say that a channel did not take a message, and why; the text holds no secret."""


class Channel(Protocol):
    """Be a way to people."""

    def deliver(self, alert: Alert) -> None:
        """Bring `alert`, or raise DeliveryFailed; waits for the other side."""
        ...


ChannelBuilder = Callable[[], Channel]
"""Build a channel, in the thread that is to use it; may load a library."""


class LogChannel:
    """Write alerts to a log of structured lines."""

    def __init__(self, log: Log) -> None:
        """Write to `log`."""
        self._log = log

    def deliver(self, alert: Alert) -> None:
        """Write one line; raises DeliveryFailed."""
        levels = {Severity.INFO: self._log.info, Severity.WARNING: self._log.warning}
        write = levels.get(alert.severity, self._log.error)
        try:
            write("alert", severity=alert.severity.word, title=alert.title, lines=dict(alert.lines))
        except OSError as error:
            raise DeliveryFailed(f"the log cannot be written: {error.strerror or error}") from error


class AppriseChannel:
    """Send alerts to the address of one Apprise URL."""

    def __init__(self, url: str, deadline_s: float) -> None:
        """Take `url`, each step of a delivery bounded by `deadline_s`; raises ConfigurationError, without it."""
        import apprise

        _silence()
        self._secrets = _parts_of(url)
        with _Reasons() as reasons:
            server: Any = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if server is None:
            why = self._without_secrets("; ".join(reasons.texts)) or "no URL of a kind that it knows"
            raise ConfigurationError(f"Apprise does not take it: {why}")
        server.request_rate_per_sec = min(server.request_rate_per_sec, MOST_GAP_S)
        server.socket_connect_timeout = server.socket_read_timeout = deadline_s
        server.notify_format = apprise.NotifyFormat.TEXT  # HTML would run the lines together
        self._server = server

    def deliver(self, alert: Alert) -> None:
        """Send it; raises DeliveryFailed."""
        with _Reasons() as reasons:
            try:
                done = self._server.notify(body=alert.text, title=alert.title, notify_type=_type(alert))
            except (
                Exception
            ) as error:  # of a plug-in of Apprise, or below: whatever it is, it was not delivered
                raise DeliveryFailed(self._without_secrets(f"{type(error).__name__}: {error}")) from None
        if not done:
            raise DeliveryFailed(self._without_secrets("; ".join(reasons.texts)) or "it was not taken")

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return " ".join(text.split())


def channel_builder(
    terms: ChannelTerms, deadline_s: float, log: Log, environ: Mapping[str, str] = os.environ
) -> ChannelBuilder:
    """Return what builds the channel of `terms`; one that is not the log takes its URL from `environ`."""
    if terms.target == LOG:
        return lambda: LogChannel(log)

    def build() -> Channel:
        url = environ.get(terms.target, "")
        if not url:
            raise ConfigurationError(
                f"{terms.target} is not set in this process; set it, or put it into .env"
            )
        return AppriseChannel(url, deadline_s)

    return build


def _type(alert: Alert) -> Any:
    import apprise

    return apprise.NotifyType(_TYPES[alert.severity])


def _parts_of(url: str) -> tuple[str, ...]:
    """Return what must be in no text: the URL and each of its parts that may be a secret, the longest first."""
    rest = url.partition("://")[2]
    pieces = {url, rest, *re.split(r"[/:@?&=,;#]+", rest)}
    pieces |= {unquote(piece) for piece in pieces}
    return tuple(sorted((each for each in pieces if len(each) >= _LEAST_SECRET), key=len, reverse=True))


class _Reasons(logging.Handler):
    """Gather what Apprise logs in this thread, from warnings up, while a channel is at work."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        self._thread = threading.get_ident()

    def __enter__(self) -> _Reasons:
        _APPRISE.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        _APPRISE.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one text, each once."""
        text = record.getMessage()
        if record.thread == self._thread and text not in self.texts:
            self.texts.append(text)


_APPRISE = logging.getLogger("apprise")


def _silence() -> None:
    """Keep what Apprise and the HTTP library below it log from every other handler: it may hold URLs.

    What they log for debugging holds them whole, and is not made at all.
    """
    for logger, least in ((_APPRISE, logging.WARNING), (logging.getLogger("urllib3"), logging.ERROR)):
        logger.setLevel(least)
        logger.propagate = False
        if not any(isinstance(each, logging.NullHandler) for each in logger.handlers):
            logger.addHandler(logging.NullHandler())
