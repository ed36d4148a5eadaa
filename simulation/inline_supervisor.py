"""Supervise the roles of an engine in one process."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from domain.error_texts import describe
from domain.ports import Mailbox
from domain.supervision import RoleEnded, RoleStarted
from simulation.inline import InlineRuntime
from supervisor.child_spec import ChildSpec


class InlineSupervisor:
    """Start and end roles of this process for the coordinator (port: `domain.ports.Supervisor`)."""

    def __init__(self, runtime: InlineRuntime, specs: Callable[[], Sequence[ChildSpec]]) -> None:
        """Supervise `specs`, asked for when they are needed: the coordinator's own spec holds this supervisor."""
        self._runtime, self._list = runtime, specs
        self._mailbox: Mailbox | None = None

    def open(self, mailbox: Mailbox) -> None:
        """Tell of the roles that are there: they were built before the coordinator began."""
        self._mailbox = mailbox
        for spec in self._list():
            if self._runtime.alive(spec.role):
                self._started(spec.role, self._runtime.generation(spec.role))

    def start(self, roles: Sequence[tuple[str, int]]) -> None:
        """Build these roles anew."""
        specs = {spec.role: spec for spec in self._list()}
        for role, generation in roles:
            try:
                self._runtime.spawn([specs[role].of_generation(generation)])
            except Exception as error:  # as on Ray: the role does not run, and the coordinator decides
                self._ended(role, generation, f"it did not start: {describe(error)}")
            else:
                self._started(role, generation)

    def end(self, role: str, generation: int) -> None:
        """Forget a role as if its process had been killed."""
        found = self._runtime.kill(role, generation)
        self._ended(role, generation, "it was ended" if found else "there was no such role")

    def close(self) -> None:
        """Do nothing: whoever runs the runtime closes the roles."""

    def _started(self, role: str, generation: int) -> None:
        at_s = self._runtime.clock.monotonic_s()
        self._tell(RoleStarted(role=role, generation=generation, pid=os.getpid(), at_s=at_s))

    def _ended(self, role: str, generation: int, why: str) -> None:
        at_s = self._runtime.clock.monotonic_s()
        self._tell(RoleEnded(role=role, generation=generation, why=why, at_s=at_s))

    def _tell(self, message: RoleStarted | RoleEnded) -> None:
        if self._mailbox is not None:
            self._mailbox.put(message)
