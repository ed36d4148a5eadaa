"""Keep the coordinator's children: who runs, who is begun after whom, who is started anew, and who stays out.

A child is begun when every role it comes after is ready, and begun anew after each restart. Its end leads to a restart
as long as its restart intensity bears it; beyond that a strategy is quarantined alone, and anything else is the end of
the engine. What is known is kept in a snapshot, so that a coordinator that restarted finds its children again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from domain.messages import AUDIT, Begin, RoleFailed
from domain.outputs import EndRole, Output, Send, StartRoles
from domain.signals import strategy_of
from domain.supervision import AbsentStrategy, RoleEnded, RoleFigures, RoleStarted
from supervisor.child import OUT, WHICHEVER, Child, ChildPlan, Status, Verdict
from supervisor.child_spec import RestartPolicy
from supervisor.faults import failure_of
from supervisor.restart_policy import Intensity, bears_another, recent


class Quarantined(NamedTuple):
    """Be who is quarantined, by name: how many strategies they make up, and of how many."""

    names: tuple[str, ...]
    out: Fraction
    strategies: int


class Children:
    """Decide about the children; every method returns what follows."""

    def __init__(
        self, plans: Iterable[ChildPlan], intensity: Intensity, saved: Mapping[str, Any] | None
    ) -> None:
        """Expect every child to be found, in the generations that `saved` (`to_values`) knows."""
        self.intensity = intensity
        self._children = {plan.role: Child(plan) for plan in plans}
        for role, values in (saved or {}).items():
            if role in self._children:
                generation, status, ends_s, restarts, why, held_out = values
                child = self._children[role]
                child.generation, child.restarts, child.why = int(generation), int(restarts), str(why)
                child.status, child.ends_s = Status(status), tuple(map(float, ends_s))
                child.held_out = dict(held_out)

    def __getitem__(self, role: str) -> Child:
        """Return a child; raises KeyError for a role that is none."""
        return self._children[role]

    def __contains__(self, role: str) -> bool:
        """Say whether `role` is a child."""
        return role in self._children

    @property
    def roles(self) -> tuple[str, ...]:
        """Return the roles of all children."""
        return tuple(self._children)

    def roles_of(self, strategy: str) -> list[str]:
        """Return the roles through which a strategy speaks, all its parts."""
        return [
            role
            for role, child in self._children.items()
            if strategy in map(strategy_of, child.plan.strategies)
        ]

    def to_values(self) -> dict[str, Any]:
        """Return what a restart goes on from, JSON-able."""
        return {
            role: (
                child.generation,
                child.status.value,
                child.ends_s,
                child.restarts,
                child.why,
                dict(child.held_out),
            )
            for role, child in self._children.items()
        }

    def report(self) -> dict[str, Any]:
        """Return what people see of the children."""
        return {role: child.report() for role, child in self._children.items()}

    def in_status(self, *statuses: Status) -> list[str]:
        """Return the roles that stand there."""
        return [role for role, child in self._children.items() if child.status in statuses]

    @property
    def to_drain(self) -> list[str]:
        """Return who is to be drained: who is ready, and an audit writer on its way, for it has to hear all out."""
        return [
            role
            for role, child in self._children.items()
            if child.status is Status.READY or (role == AUDIT and child.status not in OUT)
        ]

    @property
    def all_ready(self) -> bool:
        """Say whether every child that is to run is ready."""
        return all(child.status is Status.READY or child.status in OUT for child in self._children.values())

    def absent(self) -> tuple[AbsentStrategy, ...]:
        """Return the strategies that cannot speak: out by decision they abstain, else they have failed."""
        return tuple(
            AbsentStrategy(strategy, child.why or child.status.value, child.status in OUT)
            for child in self._children.values()
            if child.status is not Status.READY
            for strategy in child.plan.strategies
        )

    def quarantined(self) -> Quarantined:
        """Return which strategies are quarantined, by their ends or by their breakers.

        Of one whose symbols are shared out each part counts as that part of one.
        """
        speaking = [(name, child) for child in self._children.values() for name in child.plan.strategies]
        parts = Counter(strategy_of(name) for name, _ in speaking)
        out = sorted(
            name
            for name, child in speaking
            if child.status is Status.QUARANTINED or strategy_of(name) in child.held_out
        )
        weight = sum((Fraction(1, parts[strategy_of(name)]) for name in out), Fraction())
        return Quarantined(tuple(out), weight, len(parts))

    def held_out(self) -> dict[str, str]:
        """Return the strategies that their breakers keep out, with the reason."""
        return {name: why for child in self._children.values() for name, why in child.held_out.items()}

    def hold_out(self, out: Mapping[str, str]) -> None:
        """Note which strategies their breakers keep out, with all their parts: these and no other."""
        for child in self._children.values():
            names = dict.fromkeys(map(strategy_of, child.plan.strategies))
            child.held_out = {name: out[name] for name in names if name in out}

    # --- what becomes of them ---------------------------------------------------------------------------------------

    def started(self, message: RoleStarted) -> list[Output]:
        """Note that a child's process is up; return who begins.

        One that was begun or ready by what is known goes on: its pulses tell. A generation that is not wanted is ended.
        Found by a coordinator that restarted, it is all there is of its role: its end leads to what any other does.
        """
        child = self._children.get(message.role)
        if child is None or child.status in OUT:
            return [EndRole(message.role, message.generation)]
        found, child.ours = not child.ours, True
        if message.generation != child.generation:
            if not found:
                return [EndRole(message.role, message.generation)]
            wanted, child.generation, child.status = child.generation, message.generation, Status.STARTING
            return self.end(message.role, f"generation {wanted} was wanted, {message.generation} found")
        child.pid = message.pid
        if child.status is Status.STARTING:
            child.status = Status.UP
        return self.begin_due()

    def ready(self, role: str, generation: int) -> bool:
        """Note that a child is ready; return whether that is news."""
        child = self._children.get(role)
        if child is None or generation != child.generation or child.status is not Status.BEGUN:
            return False
        child.status = Status.READY
        return True

    def begin_due(self) -> list[Output]:
        """Begin the children that are up and have all they need."""
        begun: list[Output] = []
        for role, child in self._children.items():
            if child.status is Status.UP and all(self._serves(name) for name in child.plan.after):
                child.status = Status.BEGUN
                begun.append(Send(role, Begin()))
        return begun

    def begin_again(self) -> list[Output]:
        """Begin once more who was begun and is not ready: its `Begin` may have been lost."""
        for child in self._children.values():
            if child.status is Status.BEGUN:
                child.status = Status.UP
        return self.begin_due()

    def _serves(self, role: str) -> bool:
        child = self._children.get(role)
        return child is None or child.status is Status.READY

    def ended(self, message: RoleEnded, *, stopping: bool) -> tuple[Verdict, list[Output]]:
        """Note the end of a child's process; return what it led to and what follows.

        While the engine is `stopping` nothing is started any more.
        """
        child = self._children.get(message.role)
        if child is None or not (message.generation == child.generation or _not_found(child, message)):
            return Verdict.STALE, []
        if stopping:
            child.status = Status.ENDED
        child.pid, child.figures = 0, None
        if child.status in OUT:
            return Verdict.EXPECTED, []
        child.why, child.doomed = child.doomed or message.why, ""
        child.ends_s = (*recent(child.ends_s, message.at_s, self.intensity), message.at_s)
        if bears_another(child.ends_s, message.at_s, self.intensity):
            return Verdict.RESTARTED, [self._start(child)]
        if child.plan.restart is RestartPolicy.QUARANTINE:
            child.status = Status.QUARANTINED
            return Verdict.QUARANTINED, []
        child.status = Status.ENDED
        return Verdict.EXHAUSTED, []

    def give_up(self, role: str) -> None:
        """Leave a child that cannot go on where it is: it is not started again."""
        if role in self._children:
            self._children[role].status = Status.ENDED

    def _start(self, child: Child) -> StartRoles:
        child.generation += 1
        child.restarts += 1
        child.status, child.ours = Status.STARTING, True
        child.pid, child.doomed, child.figures = 0, "", None  # what was known of the former generation
        return StartRoles(((child.plan.role, child.generation),))

    def failed(self, figures: Iterable[RoleFigures]) -> list[RoleFailed]:
        """Return the failures seen of children that are thought to be at work: their own word was lost."""
        return [
            failure_of(seen.role, seen.failure) for seen in figures if seen.failure and self._concerns(seen)
        ]

    def observed(self, figures: Iterable[RoleFigures]) -> list[Output]:
        """Keep what was seen; return the ends of those that hang or have outgrown their memory."""
        outputs: list[Output] = []
        for seen in figures:
            if not self._concerns(seen):
                continue
            child = self._children[seen.role]
            if seen.state is None and child.figures is not None:
                seen = seen._replace(state=child.figures.state)
            child.figures = seen
            if why := _unfit(child.plan, seen):
                outputs += self.end(seen.role, why)
        return outputs

    def _concerns(self, seen: RoleFigures) -> bool:
        """Say whether what was seen is of a child that is at work and to go on."""
        child = self._children.get(seen.role)
        at_work = child is not None and seen.generation == child.generation and child.status not in OUT
        return at_work and not self._children[seen.role].doomed

    def end(self, role: str, why: str) -> list[Output]:
        """End a child that does not do its work; what becomes of it then is decided when it has ended."""
        child = self._children[role]
        child.doomed = why
        return [EndRole(role, child.generation)]

    def views(self) -> dict[str, Any]:
        """Return the machines' states as last seen."""
        return {
            role: child.figures.state
            for role, child in self._children.items()
            if child.figures is not None and child.figures.state is not None
        }

    # --- what people ask --------------------------------------------------------------------------------------------

    def stop(self, role: str, why: str) -> list[Output]:
        """Take a child out until it is started again."""
        child = self._children[role]
        child.status, child.why = Status.STOPPED, why
        return [EndRole(role, child.generation)]

    def start(self, role: str) -> list[Output]:
        """Start a child that is out, with a clean record."""
        child = self._children[role]
        child.ends_s, child.why = (), ""
        return [self._start(child)]

    def restart(self, role: str, why: str) -> list[Output]:
        """End a child that runs and start it anew, which counts as no failure."""
        child = self._children[role]
        child.ends_s, child.why = (), why
        return [EndRole(role, child.generation), self._start(child)]


def _not_found(child: Child, message: RoleEnded) -> bool:
    """Say whether `message` tells that a coordinator that restarted did not find the child."""
    return message.generation == WHICHEVER and not child.ours


def _unfit(plan: ChildPlan, seen: RoleFigures) -> str:
    if seen.busy_s > plan.most_busy_s:
        return f"hung: at one message for {seen.busy_s:.0f} s, allowed {plan.most_busy_s:g}"
    if 0 < plan.most_rss_bytes < seen.rss_bytes:
        mib = 2**20
        return f"memory: {seen.rss_bytes // mib} MiB, allowed {plan.most_rss_bytes // mib}"
    return ""
