"""Watch roles for the coordinator, from its own process: who ended, who hangs, who grew; start and end them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from actors.logs import Log
from domain.error_texts import describe
from domain.errors import MailboxFull, NotRunning
from domain.messages import COORDINATOR
from domain.ports import Clock, Mailbox
from domain.supervision import RoleEnded, RoleFigures, RolesObserved, RoleStarted
from supervisor.child import WHICHEVER
from supervisor.child_spec import ChildSpec
from supervisor.process_ends import await_any_end
from supervisor.ray_roles import EXIT_S, RayRoles, runs

LOOK_S = 0.05
"""From one look at the roles' processes to the next, where none ends before: Ray takes 1.8 s to tell of a death."""
OBSERVE_S = 0.5
ANSWER_S = 0.4


class RaySupervisor(RayRoles):
    """Supervise roles that are Ray actors (port: `domain.ports.Supervisor`).

    What takes time runs on threads of its own, so that the coordinator never waits: each look for a role, start and
    end, and the watching. `peers` makes the coordinator's own process learn where roles are.
    """

    def __init__(
        self,
        ray: Any,
        specs: Mapping[str, ChildSpec],
        state_dir: Path,
        clock: Clock,
        log: Log,
        peers: Callable[[Mapping[str, Any]], None],
    ) -> None:
        """Supervise `specs`; nothing happens before `open`."""
        super().__init__(state_dir)
        self._ray, self._specs, self._clock, self._log, self._peers = ray, dict(specs), clock, log, peers
        self._own = ray.get_runtime_context().current_actor
        self._mailbox: Mailbox | None = None
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._answered_s: dict[str, float] = {}
        self._named: dict[str, Any] = {}
        self._node = os.getppid()

    def open(self, mailbox: Mailbox) -> None:
        """Find the roles that are at work, tell of each of the others that it ended, and watch; waits for no role."""
        self._mailbox = mailbox
        newest = self._newest()
        named = [spec.of_generation(newest[role]) for role, spec in self._specs.items() if role in newest]
        self._named = {spec.role: handle for spec in named if (handle := self._handle(spec)) is not None}
        self._peers(self._everyone())
        for role in self._specs.keys() - newest.keys():
            self._tell_ended(role, WHICHEVER, "its process was not found")
        for spec in named:
            self._begin_thread(f"find-{spec.role}", self._find_or_end, spec)
        self._begin_thread("watch-roles", self._watch, self._look, 0.0)
        self._begin_thread("observe-roles", self._watch, self._observe, OBSERVE_S)

    def start(self, roles: Sequence[tuple[str, int]]) -> None:
        """Start these (role, generation) together; `RoleStarted` or `RoleEnded` tells of each."""
        for role, generation in roles:
            self._begin_thread(f"start-{role}", self._start, role, generation)

    def end(self, role: str, generation: int) -> None:
        """End one generation of a role at once."""
        self._begin_thread(f"end-{role}", self._kill_and_tell, role, generation)

    def close(self) -> None:
        """Stop watching; what runs goes on."""
        self._closed.set()

    def _begin_thread(self, name: str, work: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=work, args=arguments, name=name, daemon=True).start()

    def _find_or_end(self, spec: ChildSpec) -> None:
        """Take over a role that answers, end one that does not: it holds the lock of its journal until then."""
        role, generation = spec.role, spec.generation
        try:
            if (found := self._look_up(spec)) is not None:
                with self._lock:
                    if self._children.setdefault(role, found) is not found:
                        return  # it was started anew meanwhile
                self._tell_started(role, generation, found.process.pid)
                return
            self.kill(role, generation)
            why = "its process was not found"
        except Exception as error:  # whatever it is, the role is not at work, and the coordinator decides
            self._log.error("role_not_found", role=role, generation=generation, exc_info=True)
            why = f"its process was not found: {describe(error)}"
        self._tell_ended(role, WHICHEVER, why)

    def _start(self, role: str, generation: int) -> None:
        spec = self._specs[role].of_generation(generation)
        try:
            self._await_end(role)
            self.spawn([spec])
            pid = self._children[role].process.pid
        except Exception as error:  # whatever it is, the role does not run, and the coordinator decides
            self._log.error("role_not_started", role=role, generation=generation, exc_info=True)
            self._tell_ended(role, generation, f"it did not start: {describe(error)}")
            return
        self._peers({role: self._children[role].handle})
        self._tell_started(role, generation, pid)

    def _await_end(self, role: str) -> None:
        """Wait until the older generation's process is gone: it holds the lock of its journal until then."""
        with self._lock:
            child = self._children.pop(role, None)
        if child is not None and runs(child.process):
            psutil.wait_procs([child.process], timeout=EXIT_S)

    def _everyone(self) -> dict[str, Any]:
        """Return the handle of every role, also of one that has not answered yet; None for one that is away."""
        found = {role: child.handle for role, child in dict(self._children).items()}
        return {COORDINATOR: self._own, **dict.fromkeys(self._specs), **self._named, **found}

    def _kill_and_tell(self, role: str, generation: int) -> None:
        try:
            why = "it was ended" if self.kill(role, generation) else "there was no such process"
        except Exception as error:  # whatever it is, the coordinator waits for an answer, and decides
            self._log.error("role_not_ended", role=role, generation=generation, exc_info=True)
            why = f"it could not be ended: {describe(error)}"
        self._tell_ended(role, generation, why)

    # --- watching ---------------------------------------------------------------------------------------------------

    def _watch(self, look: Callable[[], None], every_s: float) -> None:
        while not self._closed.wait(every_s):
            try:
                look()
            except Exception:  # a watch that ends unseen would leave deaths unnoticed
                self._log.error("watching_failed", exc_info=True)

    def _look(self) -> None:
        """Wait until a role's process ends, or for a while, and tell of those that have ended."""
        await_any_end([child.process.pid for child in list(self._children.values())], LOOK_S)
        for role, child in list(self._children.items()):
            if runs(child.process):
                continue
            with self._lock:
                if self._children.get(role) is not child:
                    continue
                del self._children[role]
            self._tell_ended(role, child.spec.generation, "its process ended")

    def _observe(self) -> None:
        """Ask every role for its figures; one that does not answer is busy since it last did."""
        children = dict(self._children)
        asked = {role: child.handle.observe.remote() for role, child in children.items()}
        if not asked:
            return
        self._ray.wait(list(asked.values()), num_returns=len(asked), timeout=ANSWER_S)
        figures = []
        for role, reference in asked.items():
            child = children[role]
            now_s = time.monotonic()
            try:
                seen = self._result(role, reference, 0.0)
                self._answered_s[role] = now_s
                busy_s, queued, state = seen["busy_s"], seen["queued"], seen["state"]
                failure = seen["failure"]
            except NotRunning:
                continue  # the look at its process tells of its end
            except Exception:  # no answer in time: the figures say for how long
                busy_s, queued, state = now_s - self._answered_s.setdefault(role, now_s), 0, None
                failure = ""
            process, rss_bytes = child.process, _rss(child.process)
            figures.append(
                RoleFigures(
                    role, child.spec.generation, process.pid, rss_bytes, busy_s, queued, state, failure
                )
            )
        self._tell(RolesObserved(figures=tuple(figures)))

    def _tell_started(self, role: str, generation: int, pid: int) -> None:
        self._answered_s[role] = time.monotonic()
        self._tell(RoleStarted(role=role, generation=generation, pid=pid, at_s=self._clock.monotonic_s()))

    def _tell_ended(self, role: str, generation: int, why: str) -> None:
        self._tell(RoleEnded(role=role, generation=generation, why=why, at_s=self._clock.monotonic_s()))

    def _tell(self, message: RoleStarted | RoleEnded | RolesObserved) -> None:
        """Put a message into the coordinator's mailbox, unless Ray itself has ended.

        When the driver is killed, Ray's node process, the parent of every role's and of this one, ends with it, and
        the roles one after the other. Told of the first, the coordinator would let the others decide bars without it:
        trades that the next run, which goes on from the last settled bar, need not miss.
        """
        if self._mailbox is None or os.getppid() != self._node:
            return
        try:
            self._mailbox.put(message, control=not isinstance(message, RolesObserved))
        except MailboxFull:
            self._log.error("mailbox_full", lost=type(message).__name__)


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
