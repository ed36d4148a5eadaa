"""Name what a person must hear of: how grave it is, in words, and with the state at that moment (requirement B2).

Almost everything that matters is on record as an audit event; which of them alert, and how they read, is
`domain/alert_words.py`. Where an alert goes is the configuration's: channels, each with the least severity it hears.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from domain.outbox import AuditEvent

LOG = "log"
"""The target of a channel that is a file of the engine's own."""

ALERTED_ROLES = frozenset({"gateway", "risk"})
"""Roles that tell the coordinator of what they committed and a person must hear of."""


class Severity(IntEnum):
    """Order how grave an alert is; a channel hears all from its least."""

    INFO = 0
    WARNING = 1
    CRITICAL = 2

    @property
    def word(self) -> str:
        """Return how the configuration and people write it."""
        return self.name.lower()


class Alert(NamedTuple):
    """Have every channel that hears this severity told: an output of the coordinator.

    `title` is one line, `lines` what belongs to it, in order: a name and a value. `replayed` marks what bars led to,
    as any run on the same bars would: in a replay it happened long ago, and is no news.
    """

    severity: Severity
    title: str
    lines: tuple[tuple[str, str], ...] = ()
    replayed: bool = False

    @property
    def text(self) -> str:
        """Return the lines as people read them."""
        return "\n".join(f"{name}: {value}" for name, value in self.lines)


class ChannelTerms(NamedTuple):
    """Describe a channel: its id, what it hears, and `LOG` or the environment variable that holds its URL."""

    id: str
    least: Severity
    target: str


class SendingTerms(NamedTuple):
    """Say how a message is tried again; seconds, and the random share by which a wait is shortened."""

    attempts: int
    first_delay_s: float
    max_delay_s: float
    base: float
    jitter: float
    deadline_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTerms:
    """Say whom an engine alerts and how patiently.

    `queue` bounds the alerts that wait for one channel, `closing_s` the time that an engine which ends gives them.
    `replayed` has every channel hear what replayed bars led to, else the log alone does.
    """

    channels: tuple[ChannelTerms, ...]
    sending: SendingTerms
    queue: int
    closing_s: float
    replayed: bool


class ChannelFigures(NamedTuple):
    """Count what became of one channel's alerts.

    `error` is why the last one that failed did, "" where none did; `took_s` the seconds that the last one took.
    """

    channel: str
    delivered: int
    failed: int
    dropped: int
    waiting: int
    error: str
    took_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsSent:
    """Tell the coordinator what became of alerts so far, of every channel."""

    channels: tuple[ChannelFigures, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """Bring the coordinator an event that another role has committed and that a person may have to hear of."""

    role: str
    event: AuditEvent


AlertInbox = AlertsSent | Noticed


def figures_values(figures: ChannelFigures) -> Mapping[str, Any]:
    """Return what a status tells of a channel, JSON-able."""
    return figures._asdict()
