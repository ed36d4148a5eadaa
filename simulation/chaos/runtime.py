"""Run every role in one process, as the inline runtime does, and let what was drawn befall them.

A death strikes between two outputs: those carried out stay done, the rest of them is lost, and with it the mailbox and
the timers; what the journals hold was committed. Time is virtual: a delivery takes a moment of it, and where nothing
is left to deliver it goes on to the next timer, or to the next message that is late.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from pathlib import Path
from typing import Any, NamedTuple

from actors.parts import ActorContext, Parts
from actors.shell import Shell
from domain.broker import BrokerUpdate
from domain.errors import InvariantViolation
from domain.halt_messages import RaiseHalt
from domain.messages import COORDINATOR, FEED, GATEWAY, VENUE, BarsPublished, Begin, Drain, OrdersApproved
from domain.records import HaltTrigger, Rung
from simulation.chaos.faults import FaultKind
from simulation.chaos.link import Carried, ChaosLink
from simulation.chaos.perils import Crashed, Perils
from simulation.chaos.supervising import ChaosSupervisor
from simulation.inline import InlineRuntime, VirtualClock
from supervisor.child_spec import ChildSpec, load_factory

Alter = Callable[[str, Parts], Parts]
"""Change a role's parts: how a mutant is planted."""

COORDINATOR_S = 1.8
"""Virtual seconds until Ray knows of a dead coordinator and has started it anew."""

_LOOK_EVERY = 16
"""Deliveries between two looks at the timers while there is something to deliver."""


class ChaosClock(VirtualClock):
    """Be a virtual clock whose wall time may jump."""

    def __init__(self) -> None:
        """Start at zero."""
        super().__init__()
        self.wall_offset_s = 0.0

    def wall_ns(self) -> int:
        """Return the virtual time in nanoseconds since the start, with all jumps of the wall."""
        return max(0, int((self.now_s + self.wall_offset_s) * 1e9))


class SilentLog:
    """Take what a shell logs and keep nothing (port: `actors.logs.Log`)."""

    def info(self, event: str, **values: Any) -> None:
        """Keep nothing."""

    def warning(self, event: str, **values: Any) -> None:
        """Keep nothing."""

    def error(self, event: str, **values: Any) -> None:
        """Keep nothing: the timeline has it from the runtime."""


class Channel(NamedTuple):
    """Be the way of messages that keep their order: one sender, one receiver, one lane or connection.

    Lanes of odd number are control lanes.
    """

    sender: str
    to: str
    lane: int


class Letter(NamedTuple):
    """Be one message on its way."""

    channel: Channel
    message: Any


class _Lane:
    """Be a role's own mailbox, for its ports and for what it sends itself (port: `domain.ports.Mailbox`)."""

    def __init__(self, role: str, runtime: ChaosRuntime) -> None:
        self._channels = (Channel(role, role, 0), Channel(role, role, 1))
        self._runtime = runtime

    def put(self, message: Any, *, control: bool = False) -> None:
        """Queue `message`."""
        self._runtime.queue(Letter(self._channels[control], message))


class ChaosRuntime(InlineRuntime):
    """Carry messages between roles, and lose, hold back, double and reorder them as the schedule says."""

    def __init__(
        self, perils: Perils, link: ChaosLink, clock: ChaosClock, delivery_s: float, alter: Alter
    ) -> None:
        """Let `link` reach the venue; `delivery_s` is what a delivery takes, in virtual seconds."""
        super().__init__(Path("nowhere"))
        self._clock: ChaosClock = clock
        self._perils, self._link, self._alter, self._delivery_s = perils, link, alter, delivery_s
        self._waiting: tuple[deque[Letter], deque[Letter]] = (deque(), deque())
        self._late: list[tuple[float, int, Letter]] = []
        self._acts: list[tuple[float, int, Callable[[], None]]] = []
        self._supervisor: ChaosSupervisor | None = None
        self._held_until: dict[Channel, float] = {}
        self._numbers = 0
        self._shuffles, self._chance = 0, random.Random(0)
        self.ended_by = ""
        """What ended the engine as a whole, empty while nothing has."""
        self.flushes = True
        self.jumped_s = 0.0
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
        self.spawn([spec])

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Do `act` when `delay_s` virtual seconds have passed."""
        self._numbers += 1
        heappush(self._acts, (self._clock.now_s + delay_s, self._numbers, act))

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
        except Crashed as crash:
            self._crashed(crash)
        else:
            self.send(COORDINATOR, Begin())

    # --- posting ----------------------------------------------------------------------------------------------------

    def send(self, to: str, message: Any, *, control: bool = False) -> None:
        """Queue a message of nobody's: from outside the engine."""
        self.queue(Letter(Channel("", to, int(control)), message))

    def queue(self, letter: Letter, delay_s: float = 0.0) -> None:
        """Put `letter` into its receiver's mailbox, behind what its channel holds back."""
        channel = letter.channel
        due = self._clock.now_s + delay_s
        if channel in self._held_until:
            due = max(due, self._held_until[channel])
        if due > self._clock.now_s:
            self._held_until[channel] = due
            self._numbers += 1
            heappush(self._late, (due, self._numbers, letter))
        elif channel.to in self._shells:
            self._waiting[channel.lane % 2].append(letter)

    def carry(self, carried: Carried, delay_s: float) -> None:
        """Bring a command to the venue (port: `simulation.chaos.link.Wire`)."""
        self.queue(Letter(Channel(GATEWAY, VENUE, 2 * carried.connection), carried), delay_s)

    def lose_answers(self) -> None:
        """Lose what is between the venue and the gateway (port: `simulation.chaos.link.Wire`)."""
        self._lose(lambda letter: letter.channel.sender == VENUE)

    def settle_wire(self, arrives: bool) -> None:
        """Let what is on its way to the venue arrive now, or lose it: the process that sent it has ended."""
        if arrives:
            for letter in sorted(self._late, key=lambda entry: entry[:2]):
                if isinstance(letter[2].message, Carried):
                    self._waiting[0].append(letter[2])
            for waiting in [each for each in self._waiting[0] if isinstance(each.message, Carried)]:
                self._link.handle(waiting.message)
        self._lose(lambda each: isinstance(each.message, Carried))

    def _lose(self, which: Callable[[Letter], bool]) -> None:
        for lane in self._waiting:
            kept = [letter for letter in lane if not which(letter)]
            lane.clear()
            lane.extend(kept)
        self._late = sorted(entry for entry in self._late if not which(entry[2]))
        still = {entry[2].channel for entry in self._late}
        self._held_until = {channel: due for channel, due in self._held_until.items() if channel in still}

    def _post(self, sender: str, to: str, message: Any, control: bool) -> None:
        """Carry one message of a role out, or what becomes of it."""
        perils = self._perils
        if sender != VENUE:
            perils.effect(sender)
        name = type(message).__name__
        if sender == FEED and isinstance(message, BarsPublished):
            perils.published(message.group.index)
        if perils.strikes(FaultKind.MESSAGE_LOST, name) is not None:
            return
        letter = Letter(Channel(sender, to, int(control)), message)
        late = perils.strikes(FaultKind.MESSAGE_LATE, name)
        self.queue(letter, 0.0 if late is None else late.value)
        doubled = perils.strikes(FaultKind.MESSAGE_DOUBLED, name)
        if doubled is not None:  # the second comes by a way of its own: it holds nothing up
            again = Channel(sender, to, int(control) if doubled.value == 0.0 else 4 + int(control))
            self.queue(letter._replace(channel=again), doubled.value)

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
        letter = self._next()
        if letter is None:
            return False
        clock = self._clock
        clock.now_s += self._delivery_s
        to, message = letter.channel.to, letter.message
        shell = self._shells.get(to)
        if shell is None or shell.failure:
            return True
        timeline = self._perils.timeline
        timeline.note(f"{clock.now_s:.6f} {letter.channel.sender}>{to} {type(message).__name__}")
        timeline.delivered += 1
        if isinstance(message, BrokerUpdate):
            self._link.delivered(message)
        elif isinstance(message, OrdersApproved):
            timeline.approved(message)
        self._guarded(to, shell, lambda: shell.receive(message))
        self._jump()
        return True

    def _next(self) -> Letter | None:
        """Take the next letter: control first, and one of another channel where deliveries are reordered."""
        normal, control = self._waiting
        lane = control or normal
        if not lane:
            return None
        if self._shuffles <= 0 or len(lane) == 1:
            return lane.popleft()
        self._shuffles -= 1
        channel = lane[self._chance.randrange(len(lane))].channel
        for place, letter in enumerate(lane):
            if letter.channel == channel:
                del lane[place]
                return letter
        raise InvariantViolation("a channel that was drawn holds no letter")

    def _jump(self) -> None:
        """Let clocks jump, signals come and deliveries be reordered, where that is due."""
        perils = self._perils
        jump = perils.strikes(FaultKind.CLOCK_JUMP)
        if jump is not None:
            self._clock.now_s += jump.value
            self.jumped_s += jump.value
            self._fire_due()
        wall = perils.strikes(FaultKind.WALL_JUMP)
        if wall is not None:
            self._clock.wall_offset_s += wall.value
        if perils.strikes(FaultKind.STOP) is not None:
            self.send(COORDINATOR, Drain(reason="SIGTERM", cancel_entries=True), control=True)
        halt = perils.strikes(FaultKind.HALT)
        if halt is not None:
            self.send(COORDINATOR, persons_halt(halt.value, perils.newest), control=True)
        shuffled = perils.strikes(FaultKind.REORDERED)
        if shuffled is not None:
            self._shuffles, self._chance = shuffled.occasion, random.Random(shuffled.value)

    def _advance(self) -> bool:
        """Go on in time to what comes next: a timer or a late message."""
        waits = [wait for shell in self._shells.values() if (wait := _wait_s(shell)) is not None]
        now_s = self._clock.now_s
        waits += [max(0.0, heap[0][0] - now_s) for heap in (self._late, self._acts) if heap]
        if not waits:
            return False
        self._clock.now_s += min(waits)
        self._fire_due()
        return True

    def _fire_due(self) -> None:
        """Deliver what is no longer late and let timers that are due run out."""
        now_s = self._clock.now_s
        while self._late and self._late[0][0] <= now_s:
            _, _, letter = heappop(self._late)
            if self._held_until.get(letter.channel, now_s) <= now_s:
                self._held_until.pop(letter.channel, None)
            if letter.channel.to in self._shells:
                self._waiting[letter.channel.lane % 2].append(letter)
        while self._acts and self._acts[0][0] <= now_s:
            heappop(self._acts)[2]()
        for role, shell in tuple(self._shells.items()):
            if _wait_s(shell) == 0.0:
                self._perils.timeline.note(f"{now_s:.6f} timers {role}")
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
        self._lose(lambda letter: letter.channel.to == name)

    def _build(self, spec: ChildSpec) -> Shell:
        role = spec.role
        context = ActorContext(
            role=role,
            generation=spec.generation,
            state_dir=self._state_dir,
            clock=self._clock,
            log=SilentLog(),
            mailbox=_Lane(role, self),
        )
        parts = self._alter(role, load_factory(spec.factory)(spec, context))
        return Shell(parts, context, lambda to, message, control: self._post(role, to, message, control))


def persons_halt(choice: float, bar: int) -> RaiseHalt:
    """Return the halt of a person who wants every position closed, or trading stopped."""
    trigger = HaltTrigger.KILL_SWITCH if choice < 0.5 else HaltTrigger.TECHNICAL_FAILURE
    return RaiseHalt(
        at_ns=0,
        bar=bar,
        session=0,
        rung=Rung.HALTED,
        trigger=trigger,
        raised_by="a person",
        detail="says the fault search",
    )


def _wait_s(shell: Shell) -> float | None:
    """Return how long until a timer of `shell` runs out; None where none does, or nobody is there to hear it."""
    return None if shell.failure else shell.timer_wait_s()
