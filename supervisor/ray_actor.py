"""Hold one role's shell in a process of its own: what Ray runs in each actor process. Imports no Ray itself."""

from __future__ import annotations

import gc
import os
import pickle
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actors.clock import SystemClock
from actors.logs import open_log
from actors.mailbox import LaneMailbox
from actors.parts import ActorContext
from actors.shell import Shell
from actors.shell_loop import ShellLoop
from domain.errors import CodecError, InvariantViolation, MailboxFull
from domain.messages import Begin, Message
from supervisor.child_spec import ChildSpec, load_factory

FULL_REPORT_S = 1.0
SWITCH_S = 0.0005
"""How long a thread may hold the interpreter: Ray's receiving thread waits for the machine's no longer than this."""


MESSAGES = "messages"
"""The thread of an actor's process that takes messages: in the main one Ray does more around each call."""


def _lose(payload: bytes) -> None:
    """Take what is sent to a role that is away."""


class HandleRouter:
    """Post messages to other roles' processes through actor handles, fire and forget.

    A message is pickled once however many roles get it in a row: one bar goes to every strategy. Pickled here, and
    not by Ray, because Ray's pickler calls back into Python for every object. Any thread may post: a role's own does,
    and Ray's receiving one, which reports what was refused.
    """

    def __init__(self) -> None:
        self._posts: dict[tuple[str, bool], Any] = {}
        self._pickled: tuple[Message | None, bytes] = (None, b"")

    def connect(self, handles: Mapping[str, Any]) -> None:
        """Learn where roles are; a newer generation replaces the older.

        None stands for a role that is away at this moment: what it is sent is lost, as with any that has ended.
        """
        for role, handle in handles.items():
            for control in (False, True):
                if handle is None:
                    self._posts.setdefault((role, control), _lose)
                else:
                    method = handle.receive_control if control else handle.receive
                    self._posts[role, control] = method.remote

    def __call__(self, to: str, message: Message, control: bool) -> None:
        """Post `message` to `to`; raises InvariantViolation for a role nobody started."""
        post = self._posts.get((to, control))
        if post is None:
            known = sorted({role for role, _ in self._posts})
            raise InvariantViolation(f"no role {to!r} to send {type(message).__name__} to; known: {known}")
        # Message and payload are kept, read and replaced as one: between two threads they must not be mixed up.
        pickled, payload = self._pickled
        if message is not pickled:
            payload = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
            self._pickled = (message, payload)
        post(payload)


class RoleHost:
    """Receive for one role and run its shell on a thread.

    Ray calls these methods in order and one at a time, those that take messages in a thread of their own.
    """

    def __init__(self) -> None:
        self._shell: Shell | None = None
        self._loop: ShellLoop | None = None
        self._mailbox: LaneMailbox | None = None
        self._router = HandleRouter()
        self._early = self._refused = 0
        self._refusal_reported_s = float("-inf")

    def start(self, spec: ChildSpec, state_dir: str) -> int:
        """Build the role's parts and start its loop; return the process id. Raises what the factory raises."""
        sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != os.getcwd()]
        mailbox = LaneMailbox(spec.role, capacity=spec.queue)
        directory = Path(state_dir)
        context = ActorContext(
            role=spec.role,
            generation=spec.generation,
            state_dir=directory,
            clock=SystemClock(),
            log=open_log(directory, spec.role, spec.generation),
            mailbox=mailbox,
            peers=self._router.connect,
        )
        parts = load_factory(spec.factory)(spec, context)
        self._mailbox, self._shell = mailbox, Shell(parts, context, self._router)
        self._loop = ShellLoop(self._shell, mailbox)
        sys.setswitchinterval(SWITCH_S)
        # What is there now stays to the end: a collection that walks through it all would stop every thread.
        gc.freeze()
        threading.Thread(target=self._loop.run, name=spec.role, daemon=True).start()
        return os.getpid()

    def begin(self) -> None:
        """Have the role take up its work, as a `Begin` from elsewhere would."""
        if self._mailbox is not None:
            self._mailbox.put(Begin())

    def where(self) -> int:
        """Return the process id once the role was started, 0 before."""
        return os.getpid() if self._loop is not None else 0

    def observe(self) -> dict[str, Any]:
        """Return figures and the machine's state as last published, without waiting for the role's own thread."""
        return {} if self._loop is None else self._loop.observed()

    def connect(self, handles: Mapping[str, Any]) -> None:
        """Learn where the other roles are; what came before the role was started is reported as lost."""
        self._router.connect(handles)
        if self._early and self._shell is not None:
            lost = InvariantViolation(
                f"messages that came before the role was started are lost: {self._early}"
            )
            self._early = 0
            self._shell.report_fault(lost, fatal=True)

    def receive(self, payload: bytes) -> None:
        """Queue a pickled message."""
        self._queue(payload, control=False)

    def receive_control(self, payload: bytes) -> None:
        """Queue a pickled message in the lane that overtakes."""
        self._queue(payload, control=True)

    def _queue(self, payload: bytes, *, control: bool) -> None:
        """Queue a pickled message.

        Nobody waits for an answer that could raise: a message that cannot be read is reported as a fatal fault, since
        nobody knows what it was, and a full lane once a second at most, with how many were refused.
        """
        if self._mailbox is None or self._shell is None:
            self._early += 1
            return
        try:
            message = pickle.loads(payload)
        except Exception as error:
            fault = CodecError(
                f"a message of {len(payload)} bytes cannot be read: {type(error).__name__}: {error}"
            )
            self._shell.report_fault(fault, fatal=True)
            return
        try:
            self._mailbox.put(message, control=control)
        except MailboxFull as error:
            self._refused += 1
            now_s = time.monotonic()
            if now_s - self._refusal_reported_s >= FULL_REPORT_S:
                self._refusal_reported_s = now_s
                self._shell.report_fault(MailboxFull(f"{error} ({self._refused} so far)"), fatal=control)

    def snapshot(self, deadline_s: float) -> dict[str, Any]:
        """Return the shell's snapshot."""
        if self._loop is None:
            return {"alive": False, "state": None}
        return {**self._loop.snapshot(deadline_s), "refused": self._refused, "pid": os.getpid()}

    def stop(self, deadline_s: float) -> bool:
        """Stop the loop and wait for it to close its ports; return whether it did in time."""
        if self._loop is None:
            return True
        self._loop.stop()
        return self._loop.ended.wait(deadline_s)
