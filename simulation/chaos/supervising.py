"""Start and end roles of the chaos runtime for the coordinator, as Ray's processes are: later, and perhaps in vain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from domain.error_texts import describe
from domain.ports import Mailbox
from domain.supervision import RoleEnded, RoleFigures, RolesObserved, RoleStarted
from supervisor.child import WHICHEVER
from supervisor.child_spec import ChildSpec

START_S = 0.6
"""Virtual seconds from asking for a process to its being up; on Ray 0.4 to 0.9 s (`benchmarks/`)."""

NOTICE_S = 0.05
"""Virtual seconds until a death is known (`supervisor.ray_supervisor.LOOK_S`)."""


OBSERVE_S = 0.5
"""Virtual seconds from one look at what roles are busy with to the next (`supervisor.ray_supervisor.OBSERVE_S`)."""


class Host(Protocol):
    """Hold roles (`simulation.chaos.runtime.ChaosRuntime`)."""

    def there(self, role: str) -> bool:
        """Say whether a role's process is there, also one whose loop has failed."""
        ...

    def failed(self) -> Mapping[str, str]:
        """Return the roles whose loop has failed and whose process is there, with the failure."""
        ...

    def generation(self, role: str) -> int:
        """Return its generation."""
        ...

    def build(self, spec: ChildSpec) -> None:
        """Start a role's process; raises what its factory raises."""
        ...

    def kill(self, role: str, generation: int) -> bool:
        """End one generation of a role; False when there is none such."""
        ...

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Do `act` when `delay_s` virtual seconds have passed."""
        ...

    def now_s(self) -> float:
        """Return the virtual seconds."""
        ...


class ChaosSupervisor:
    """Watch roles for one life of the coordinator (port: `domain.ports.Supervisor`)."""

    def __init__(self, host: Host, specs: Mapping[str, ChildSpec]) -> None:
        """Supervise `specs`; nothing happens before `open`."""
        self._host, self._specs = host, specs
        self._mailbox: Mailbox | None = None

    def open(self, mailbox: Mailbox) -> None:
        """Tell of every role whether it is there."""
        self._mailbox = mailbox
        for role in self._specs:
            if self._host.there(role):
                self._started(role, self._host.generation(role))
            else:
                self._ended(role, WHICHEVER, "its process was not found")
        self.observe()

    def start(self, roles: Sequence[tuple[str, int]]) -> None:
        """Start these (role, generation), which takes a while."""
        for role, generation in roles:
            self._host.later(START_S, partial(self._start, role, generation))

    def end(self, role: str, generation: int) -> None:
        """End one generation of a role at once."""
        found = self._host.kill(role, generation)
        self._ended(role, generation, "it was ended" if found else "there was no such process")

    def close(self) -> None:
        """Stop watching: the coordinator is gone, and what it was about to start is not started."""
        self._mailbox = None

    def died(self, role: str, generation: int) -> None:
        """Notice, in a moment, that a process has ended."""
        self._host.later(NOTICE_S, lambda: self._ended(role, generation, "its process ended"))

    def observe(self) -> None:
        """Tell, in a moment, of the roles that no longer do their work, for as long as there are any."""
        if self._mailbox is not None and self._host.failed():
            self._host.later(OBSERVE_S, self._observed)

    def _observed(self) -> None:
        figures = tuple(
            RoleFigures(role, self._host.generation(role), 1, 0, 0.0, 0, None, failure)
            for role, failure in self._host.failed().items()
        )
        self._tell(RolesObserved(figures=figures))
        self.observe()

    def _start(self, role: str, generation: int) -> None:
        if self._mailbox is None:
            return
        try:
            self._host.build(self._specs[role].of_generation(generation))
        except Exception as error:  # as on Ray: the role does not run, and the coordinator decides
            self._ended(role, generation, f"it did not start: {describe(error)}")
        else:
            self._started(role, generation)

    def _started(self, role: str, generation: int) -> None:
        self._tell(RoleStarted(role=role, generation=generation, pid=1, at_s=self._host.now_s()))

    def _ended(self, role: str, generation: int, why: str) -> None:
        self._tell(RoleEnded(role=role, generation=generation, why=why, at_s=self._host.now_s()))

    def _tell(self, message: RoleStarted | RoleEnded | RolesObserved) -> None:
        if self._mailbox is not None:
            self._mailbox.put(message, control=True)
