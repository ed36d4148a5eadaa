"""Build, inside the coordinator's process, what it halts, tells and is commanded by: latch, channels, socket, clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from actors.parts import ActorContext, Spec
from domain.alert_words import figures_lines
from domain.alerts import Alert, AlertTerms
from domain.ports import AlertPort, ControlPort, Journal, LatchPort, Mailbox
from domain.records import Rung
from storage.commit_group import CommitGroup
from storage.latch_file import LatchFile
from supervisor.answers import COMMANDS
from supervisor.control_server import ControlServer
from supervisor.found_latch import FoundLatch

Commands = SimpleQueue[Any]
"""Hold commands for an engine whose mailboxes one thread alone may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlParts:
    """Be what the coordinator's factory gives to its machine and to its shell."""

    latch: LatchPort
    control: ControlPort | None
    found: FoundLatch
    wall_ns: Callable[[], int]
    answers: Mapping[str, Any] | None
    alerts: AlertPort | None


def control_parts(spec: Spec, context: ActorContext, journal: Journal) -> ControlParts:
    """Build them for the coordinator that `spec` describes.

    `arguments["commands"]` is True for a control socket, or the queue through which an engine of one process takes
    commands; without it there is none. `arguments["latch"]` is a latch in memory, without it the file is the latch.
    """
    file: LatchPort = spec.arguments.get("latch") or LatchFile(context.state_dir)
    group: CommitGroup | None = spec.arguments.get("group")
    saved = journal.snapshot(COMMANDS)
    return ControlParts(
        latch=file if group is None else CommittedLatch(file, group),
        control=_control(spec.arguments.get("commands"), context),
        found=FoundLatch(file.read(), *file.word()),
        wall_ns=context.clock.wall_ns,
        answers=None if saved is None else saved.values,
        alerts=_alerts(spec, context),
    )


def _alerts(spec: Spec, context: ActorContext) -> AlertPort | None:
    """Build the channels of `arguments["alerts"]`; an engine of one process hears of them through its queue.

    There nobody observes roles, and `arguments["figures"]` returns the risk manager's state.
    """
    terms: AlertTerms | None = spec.arguments.get("alerts")
    if terms is None:
        return None
    from actors.alerting import (
        alert_sender,
    )  # here: the risk manager is built beside the coordinator, and sends nothing

    sender = alert_sender(terms, context.state_dir, spec.generation)
    commands = spec.arguments.get("commands")
    if not isinstance(commands, SimpleQueue):
        return sender
    return QueuedAlerts(sender, commands, spec.arguments["figures"])


def _control(commands: Commands | bool | None, context: ActorContext) -> ControlPort | None:
    if commands is None or commands is False:
        return None
    server = ControlServer(context.state_dir, context.log)
    return QueuedControl(server, commands) if isinstance(commands, SimpleQueue) else server


class CommittedLatch:
    """Write the latch's file once the databases of an inline engine are committed (port: `domain.ports.LatchPort`).

    They gather what they write: a file that was ahead of them would halt, or free, a run that never came to that.
    """

    def __init__(self, file: LatchPort, group: CommitGroup) -> None:
        """Write `file` after `group`."""
        self._file, self._group = file, group

    def write(self, rung: Rung, version: int, detail: str) -> None:
        """Commit, then replace the file; raises DurabilityError."""
        self._group.commit()
        self._file.write(rung, version, detail)

    def read(self) -> Rung:
        """Return what the file says."""
        return self._file.read()

    def word(self) -> tuple[int, str]:
        """Return of which version the file is and who wrote it."""
        return self._file.word()


class QueuedControl:
    """Put what a control port takes into a queue that any thread may use (port: `domain.ports.ControlPort`)."""

    def __init__(self, port: ControlPort, commands: Commands) -> None:
        """Fill `commands` from `port`."""
        self._port, self._commands = port, commands

    def open(self, mailbox: Mailbox) -> None:
        """Listen; the queue takes the mailbox's place."""
        del mailbox
        self._port.open(_QueueMailbox(self._commands))

    def answer(self, request_id: int, body: Mapping[str, Any]) -> None:
        """Answer a request."""
        self._port.answer(request_id, body)

    def close(self) -> None:
        """Stop listening."""
        self._port.close()


class QueuedAlerts:
    """Have what became of alerts put into a queue that any thread may use (port: `domain.ports.AlertPort`)."""

    def __init__(self, port: AlertPort, commands: Commands, figures: Callable[[], Mapping[str, Any]]) -> None:
        """Fill `commands` from `port`; `figures` are added to each alert."""
        self._port, self._commands, self._figures = port, commands, figures

    def open(self, mailbox: Mailbox) -> None:
        """Begin to send; the queue takes the mailbox's place."""
        del mailbox
        self._port.open(_QueueMailbox(self._commands))

    def send(self, alert: Alert) -> None:
        """Queue `alert` with the account's figures."""
        self._port.send(alert._replace(lines=(*alert.lines, *figures_lines(self._figures()))))

    def close(self) -> None:
        """End."""
        self._port.close()


class _QueueMailbox:
    """Be a mailbox whose messages somebody else takes out (port: `domain.ports.Mailbox`)."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def put(self, message: Any, *, control: bool = False) -> None:
        """Queue `message`; the socket bounds how many there are."""
        del control
        self._commands.put(message)
