"""Run every role in one process, as the inline runtime does, and let what was drawn befall them.

A death strikes between two outputs: those carried out stay done, the rest of them is lost, and with it the mailbox and
the timers; what the journals hold was committed. Time is virtual: a delivery takes a moment of it, and where nothing
is left to deliver it goes on to the next timer, or to the next message that is late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from actors.parts import ActorContext, Parts
from actors.shell import Shell
from domain.broker import BrokerUpdate
from domain.errors import DurabilityError
from domain.messages import (
    AUDIT,
    COORDINATOR,
    FEED,
    GATEWAY,
    VENUE,
    BarsPublished,
    Begin,
    Drain,
    OrdersApproved,
)
from simulation.chaos.commanding import SilentControl
from simulation.chaos.context import ChaosClock, OwnLane, SilentLog
from simulation.chaos.faults import FaultKind
from simulation.chaos.link import Carried, ChaosLink
from simulation.chaos.occasions import Occasions
from simulation.chaos.perils import Crashed, Perils
from simulation.chaos.post import Channel, Letter, Post
from simulation.chaos.supervising import ChaosSupervisor
from simulation.inline import InlineRuntime
from supervisor.child_spec import ChildSpec, load_factory

Alter = Callable[[str, Parts], Parts]
"""Change a role's parts: how a mutant is planted."""

COORDINATOR_S = 1.8
"""Virtual seconds until Ray knows of a dead coordinator and has started it anew."""

_LOOK_EVERY = 16
"""Deliveries between two looks at the timers while there is something to deliver."""


class ChaosRuntime(InlineRuntime):
    """Carry messages between roles, and lose, hold back, double and reorder them as the schedule says."""

    def __init__(
        self, perils: Perils, link: ChaosLink, clock: ChaosClock, delivery_s: float, alter: Alter
    ) -> None:
        """Let `link` reach the venue; `delivery_s` is what a delivery takes, in virtual seconds."""
        super().__init__(Path("nowhere"))
        self._clock: ChaosClock = clock
        self._perils, self._link, self._alter, self._delivery_s = perils, link, alter, delivery_s
        self._post = Post(clock, self._shells.__contains__)
        self._supervisor: ChaosSupervisor | None = None
        self._specs: dict[str, ChildSpec] = {}
        self.occasions = Occasions(perils, clock, self._post, self._command)
        self.ended_by = ""
        """What ended the engine as a whole, empty while nothing has."""
        self.flushes = True
        link.plug(self)

    # --- supervision (port: `simulation.chaos.supervising.Host`) ------------------------------------------------------

    def supervise(self, specs: Sequence[ChildSpec]) -> None:
        """Start all roles; those but the coordinator and the venue are its children."""
        self._specs = {spec.role: spec for spec in specs}
        for spec in specs:
            if spec.role != COORDINATOR:
                self.build(spec)
        self._start_coordinator()

    def supervisor(self) -> ChaosSupervisor:
        """Return a supervisor for a coordinator that is being built."""
        children = {role: spec for role, spec in self._specs.items() if role not in (COORDINATOR, VENUE)}
        self._supervisor = ChaosSupervisor(self, children)
        return self._supervisor

    def build(self, spec: ChildSpec) -> None:
        """Start a role's process in place of an older one; raises what its factory raises."""
        self._perils.timeline.built(spec.role, spec.generation, self._clock.now_s)
        for kept in (spec.arguments.get("journal"), spec.arguments.get("trail")):
            if kept is not None:
                kept.reopen()
        self.spawn([spec])

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Do `act` when `delay_s` virtual seconds have passed."""
        self._post.later(delay_s, act)

    def there(self, role: str) -> bool:
        """Say whether a role's process is there."""
        return role in self._shells

    def failed(self) -> dict[str, str]:
        """Return the roles whose loop has failed, with the failure."""
        failures = {role: shell.failure for role, shell in self._shells.items() if shell.failure}
        return {role: why for role, why in failures.items() if role not in (COORDINATOR, VENUE)}

    def now_s(self) -> float:
        """Return the virtual seconds."""
        return self._clock.now_s

    def kill(self, role: str, generation: int) -> bool:
        """End one generation of a role, as a signal does; False when there is none such."""
        if not super().kill(role, generation):
            return False
        self._let_go(role)
        return True

    def _start_coordinator(self) -> None:
        """Start the coordinator, as Ray does however often it dies, and have it begin."""
        try:
            self.build(self._specs[COORDINATOR])
            self.send(COORDINATOR, Begin())
        except Crashed as crash:
            self._crashed(crash)
        except DurabilityError:  # of what a start writes first
            self.ended_by = "the coordinator failed"

    # --- posting ----------------------------------------------------------------------------------------------------

    def send(self, to: str, message: Any, *, control: bool = False) -> None:
        """Queue a message of nobody's: from outside the engine."""
        self._post.queue(Letter(Channel("", to, int(control)), message))

    def _command(self, message: Any) -> None:
        self.send(COORDINATOR, message, control=True)

    def carry(self, carried: Carried, delay_s: float) -> None:
        """Bring a command to the venue (port: `simulation.chaos.link.Wire`)."""
        self._post.queue(Letter(Channel(GATEWAY, VENUE, 2 * carried.connection), carried), delay_s)

    def lose_answers(self) -> None:
        """Lose what is between the venue and the gateway (port: `simulation.chaos.link.Wire`)."""
        self._post.lose(lambda letter: letter.channel.sender == VENUE)

    def settle_wire(self, arrives: bool) -> None:
        """Let what is on its way to the venue arrive now, or lose it: the process that sent it has ended."""
        if arrives:
            for letter in self._post.underway(_is_command):
                self._link.handle(letter.message)
        self._post.lose(_is_command)

    def _carry_out(self, sender: str, to: str, message: Any, control: bool) -> None:
        """Carry one message of a role out, or what becomes of it."""
        perils, post = self._perils, self._post
        if sender != VENUE:
            perils.effect(sender)
        name = type(message).__name__
        if sender == FEED and isinstance(message, BarsPublished):
            perils.published(message.group.index)
        if perils.strikes(FaultKind.MESSAGE_LOST, name) is not None:
            return
        letter = Letter(Channel(sender, to, int(control)), message)
        late = perils.strikes(FaultKind.MESSAGE_LATE, name)
        post.queue(letter, 0.0 if late is None else late.value)
        doubled = perils.strikes(FaultKind.MESSAGE_DOUBLED, name)
        if doubled is not None:  # the second comes by a way of its own: it holds nothing up
            again = Channel(sender, to, int(control) if doubled.value == 0.0 else 4 + int(control))
            post.queue(letter._replace(channel=again), doubled.value)

    # --- delivering -------------------------------------------------------------------------------------------------

    def advance(self, most: int) -> bool:
        """Deliver up to `most` messages; return False when the engine has ended, or nothing is left to do."""
        look = _LOOK_EVERY
        for _ in range(most):
            if self.ended_by:
                return False
            if not self._step() and not self._advance():
                return False
            look -= 1
            if look == 0:
                look = _LOOK_EVERY
                self._fire_due()
        return not self.ended_by

    def _step(self) -> bool:
        letter = self._post.next()
        if letter is None:
            return False
        clock = self._clock
        clock.now_s += self._delivery_s
        to, message = letter.channel.to, letter.message
        shell = self._shells.get(to)
        if shell is None or shell.failure:
            return True
        timeline = self._perils.timeline
        timeline.deliver(clock.now_s, letter.channel.sender, to, message)
        if isinstance(message, BrokerUpdate):
            self._link.delivered(message)
        elif isinstance(message, OrdersApproved):
            timeline.approved(message)
        elif to == AUDIT and isinstance(message, Drain):
            timeline.last_call = timeline.now
        self._guarded(to, shell, lambda: shell.receive(message))
        if not self.ended_by and self.occasions.pass_by():
            self._fire_due()
        return True

    def _advance(self) -> bool:
        """Go on in time to what comes next: a timer or a late message."""
        waits = [wait for shell in self._shells.values() if (wait := _wait_s(shell)) is not None]
        late = self._post.wait_s()
        waits += [] if late is None else [late]
        if not waits:
            return False
        self._clock.now_s += min(waits)
        self._fire_due()
        return True

    def _fire_due(self) -> None:
        """Deliver what is no longer late and let timers that are due run out; who died just now does nothing more."""
        self._post.fall_due()
        for role, shell in tuple(self._shells.items()):
            alive = self._shells.get(role) is shell and not self.ended_by
            if alive and _wait_s(shell) == 0.0:
                self._perils.timeline.note(f"{self._clock.now_s:.6f} timers {role}")
                self._guarded(role, shell, shell.fire_timers)

    # --- deaths -----------------------------------------------------------------------------------------------------

    def _guarded(self, role: str, shell: Shell, act: Callable[[], None]) -> None:
        try:
            try:
                act()
            except Exception as error:  # as on Ray: the role ends, the coordinator hears of it
                self._perils.timeline.failed(role, error)
                shell.fail(error)
                self._let_go(role)
                if role == COORDINATOR:
                    self.ended_by = "the coordinator failed"
                elif self._supervisor is not None:
                    self._supervisor.observe()
        except Crashed as crash:
            self._crashed(crash)

    def _crashed(self, crash: Crashed) -> None:
        role = crash.role
        self._perils.timeline.note(f"crash {role} {crash.engine}")
        self.flushes = crash.flushes
        if crash.engine:
            self.ended_by = "engine crash"
            return
        generation = self.generation(role) if role in self._roles else 0
        if role in self._shells:
            self._drop(role)
        self._let_go(role)
        if role == COORDINATOR:
            self.later(COORDINATOR_S, self._start_coordinator)
        elif self._supervisor is not None:
            self._supervisor.died(role, generation)

    def _let_go(self, role: str) -> None:
        """Let go of what hangs on a role whose process has ended."""
        if role == COORDINATOR and self._supervisor is not None:
            self._supervisor.close()
        if role == GATEWAY:
            self._link.close()
            self.settle_wire(self.flushes)

    def _drop(self, name: str) -> None:
        """Forget the shell of a role that has ended, and lose what waits for it."""
        self._shells.pop(name, None)
        self._roles[name].shell = None
        self._post.forget(name)

    def _build(self, spec: ChildSpec) -> Shell:
        role = spec.role
        context = ActorContext(
            role=role,
            generation=spec.generation,
            state_dir=self._state_dir,
            clock=self._clock,
            log=SilentLog(),
            mailbox=OwnLane(role, self._post),
        )
        parts = load_factory(spec.factory)(spec, context)
        if role == COORDINATOR:
            self.occasions.mode = spec.arguments["settings"].desk.mode
            parts = replace(parts, control=SilentControl())
        parts = self._alter(role, parts)
        return Shell(parts, context, lambda to, message, control: self._carry_out(role, to, message, control))


def _is_command(letter: Letter) -> bool:
    return isinstance(letter.message, Carried)


def _wait_s(shell: Shell) -> float | None:
    """Return how long until a timer of `shell` runs out; None where none does, or nobody is there to hear it."""
    return None if shell.failure else shell.timer_wait_s()
