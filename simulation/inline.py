"""Run every role in one process, one message at a time: FIFO mailboxes, virtual time, deterministic.

The machines, ports and shells are those that run on Ray; what differs is who carries messages: a queue here, Ray's
processes there. Timers run out only when nothing else is left to do, and time then jumps to the earliest.
"""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from actors.logs import open_log
from actors.parts import ActorContext
from actors.shell import Shell
from domain.errors import InvariantViolation, MailboxFull, NotRunning
from domain.ports import Machine
from supervisor.child_spec import ChildSpec, load_factory

NAP_S = 0.05
"""Longest pause at a time, so that who drives the runtime stays in charge."""


class VirtualClock:
    """Be a clock that stands still until it is set (port: `domain.ports.Clock`)."""

    def __init__(self) -> None:
        """Start at zero."""
        self.now_s = 0.0

    def monotonic_s(self) -> float:
        """Return the virtual seconds."""
        return self.now_s

    def wall_ns(self) -> int:
        """Return the virtual time in nanoseconds since the start."""
        return int(self.now_s * 1e9)


class _Lane:
    """Be one role's mailbox: put into the runtime's queue (port: `domain.ports.Mailbox`)."""

    def __init__(self, role: str, runtime: InlineRuntime) -> None:
        self._role, self._runtime = role, runtime

    def put(self, message: Any, *, control: bool = False) -> None:
        """Queue `message`."""
        self._runtime.send(self._role, message, control=control)


class _Role:
    """Be what the runtime knows of one role: its spec, its shell while it runs, how much waits in its normal lane."""

    __slots__ = ("capacity", "full_told", "queued", "shell", "spec")

    def __init__(self, spec: ChildSpec, shell: Shell) -> None:
        self.spec = spec
        self.capacity = spec.queue
        self.shell: Shell | None = shell
        self.queued = 0
        self.full_told = False


class InlineRuntime:
    """Carry messages between roles of this process (port: `domain.ports.Runtime`)."""

    def __init__(self, state_dir: Path, pause: Callable[[float], None] | None = None) -> None:
        """Write logs below `state_dir`.

        With `pause` (seconds) timers take real time: a paced replay waits instead of jumping.
        """
        self._pause = pause
        self._state_dir = state_dir
        self._clock = VirtualClock()
        self._shells: dict[str, Shell] = {}
        self._roles: dict[str, _Role] = {}
        self._normal: deque[tuple[_Role, Any]] = deque()
        self._control: deque[tuple[_Role, Any]] = deque()
        self.any_failed = False
        """Whether any role ever failed: who looks after every message asks no more than this."""

    def spawn(self, specs: Sequence[ChildSpec], *, deadline_s: float = 0.0) -> None:
        """Build each role's parts in this process; when one factory raises, none of `specs` stays.

        The deadline is not needed here.
        """
        del deadline_s
        built: dict[str, Shell] = {}
        try:
            for spec in specs:
                built[spec.role] = self._build(spec)
        except BaseException:
            for shell in built.values():
                shell.close()
            raise
        for spec in specs:
            self._roles[spec.role] = _Role(spec, built[spec.role])
            self._shells[spec.role] = built[spec.role]

    def send(self, to: str, message: Any, *, control: bool = False) -> None:
        """Queue `message`; a control message is taken before every normal one.

        What is sent to a role that has ended is lost without a word; a full queue refuses and that is reported. Raises
        InvariantViolation for a role that was never spawned.
        """
        self._route(to, message, control)

    def run(self, until: Callable[[], bool], *, most: int, for_s: float = math.inf) -> bool:
        """Deliver messages until `until` says so, `most` were delivered or `for_s` have passed; return whether it did.

        The message at hand is finished first, however long it takes. Raises InvariantViolation when nothing is left to
        do and `until` is not met: the engine waits for itself.
        """
        control, normal, now_s = self._control, self._normal, time.perf_counter
        ends_s = now_s() + for_s
        for _ in range(most):
            if until():
                return True
            if control or normal:
                if control:
                    role, message = control.popleft()
                else:
                    role, message = normal.popleft()
                    role.queued -= 1
                    role.full_told = False
                shell = role.shell
                if shell is not None and not shell.failure:
                    try:
                        shell.receive(message)
                    except Exception as error:
                        self._fail(shell, error)
            elif not self._advance():
                waiting = {name: dict(shell.machine_state()) for name, shell in self._shells.items()}
                raise InvariantViolation(f"every role waits and no timer runs: {waiting}")
            if now_s() >= ends_s:
                break
        return until()

    def settle(self) -> None:
        """Deliver messages and let timers run out until nothing is left to do."""
        self.run(self._idle, most=sys.maxsize)
        while self._advance():
            self.run(self._idle, most=sys.maxsize)

    def snapshot(self, role: str, *, deadline_s: float = 0.0) -> Mapping[str, Any]:
        """Return the shell's figures and, as `state`, the machine's; raises NotRunning for an unknown role."""
        del deadline_s
        shell = self._shell(role)
        counters = {**shell.counters(), "queued": self._roles[role].queued}
        return {**counters, "state": shell.machine_state()}

    def machine(self, role: str) -> Machine:
        """Return the machine of a role of this process; raises NotRunning for an unknown role."""
        return self._shell(role).machine

    def roles(self) -> tuple[str, ...]:
        """Return the roles that were spawned and have not ended."""
        return tuple(self._shells)

    @property
    def clock(self) -> VirtualClock:
        """Return the clock that all roles share."""
        return self._clock

    def generation(self, role: str) -> int:
        """Return the generation of a role of this process."""
        return self._roles[role].spec.generation

    def alive(self, role: str) -> bool:
        """Say whether the role was spawned and has not failed."""
        return role in self._shells and not self._shells[role].failure

    def stop(self, roles: Sequence[str]) -> tuple[str, ...]:
        """Close the ports of `roles`; what waits for them is dropped."""
        for role in roles:
            shell = self._shells.get(role)
            if shell is not None:
                shell.close()
                self._drop(role)
        return ()

    def kill(self, role: str, generation: int) -> bool:
        """Forget a role without closing its ports, as a killed process would; False when there is none such."""
        if role not in self._shells or self._roles[role].spec.generation != generation:
            return False
        self._drop(role)
        return True

    def abandon(self) -> None:
        """Forget every role without closing its ports, as a killed process would: what is not committed is lost."""
        for role in tuple(self._shells):
            self._drop(role)

    def shutdown(self) -> None:
        """Close whatever is left."""
        self.stop(tuple(reversed(self._shells)))
        self._normal.clear()
        self._control.clear()

    def _shell(self, role: str) -> Shell:
        if role not in self._shells:
            raise NotRunning(
                f"no role {role!r} is running; running: {', '.join(sorted(self._shells)) or 'none'}"
            )
        return self._shells[role]

    def _drop(self, name: str) -> None:
        """Forget the shell of a role that has ended, and lose what waits for it."""
        del self._shells[name]
        role = self._roles[name]
        role.shell, role.queued = None, 0
        for lane in (self._normal, self._control):
            kept = [(to, message) for to, message in lane if to is not role]
            lane.clear()
            lane.extend(kept)

    def _build(self, spec: ChildSpec) -> Shell:
        context = ActorContext(
            role=spec.role,
            generation=spec.generation,
            state_dir=self._state_dir,
            clock=self._clock,
            log=open_log(self._state_dir, spec.role, spec.generation),
            mailbox=_Lane(spec.role, self),
        )
        return Shell(load_factory(spec.factory)(spec, context), context, self._route)

    def _route(self, to: str, message: Any, control: bool) -> None:
        role = self._roles.get(to)
        if role is None:
            known = ", ".join(sorted(self._roles))
            raise InvariantViolation(f"no role {to!r} to send {type(message).__name__} to; known: {known}")
        if role.shell is None:
            return
        if control:
            self._control.append((role, message))
        elif role.queued >= role.capacity:
            self._refuse(role, role.shell, message)
        else:
            role.queued += 1
            self._normal.append((role, message))

    def _refuse(self, to: _Role, shell: Shell, message: Any) -> None:
        """Report a full queue once, until the role has taken something again."""
        if not to.full_told:
            to.full_told = True
            refused = f"the normal lane of {to.spec.role} holds {to.queued} messages, its capacity: "
            error = MailboxFull(f"{refused}{type(message).__name__} was refused")
            shell.report_fault(error, fatal=False)

    def _idle(self) -> bool:
        return not (self._control or self._normal)

    def _advance(self) -> bool:
        waits = [
            (wait, role)
            for role, shell in self._shells.items()
            if not shell.failure and (wait := shell.timer_wait_s()) is not None
        ]
        if not waits:
            return False
        wait, role = min(waits)
        step = wait if self._pause is None else min(wait, NAP_S)
        if self._pause is not None:
            self._pause(step)
        self._clock.now_s += step
        if step == wait:
            try:
                self._shells[role].fire_timers()
            except Exception as error:
                self._fail(self._shells[role], error)
        return True

    def _fail(self, shell: Shell, error: Exception) -> None:
        """End a role by what it raised, as on Ray; the coordinator hears of it."""
        self.any_failed = True
        shell.fail(error)
