"""Judge whether ladder, gateway, risk manager and the latch's file agree: nobody stays halted, or free, by himself.

What is on its way may differ, and so may what was lost a moment before the end; it is told again. What was told again
often enough, or that nobody will ever tell, is a breach.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from domain.halt_causes import causes_from, highest
from domain.latch_copy import LATCH
from domain.messages import COORDINATOR, GATEWAY, RISK
from domain.outbox import AuditEvent, AuditKind
from domain.records import HaltRecord, HaltTrigger, MachineSnapshot, Rung
from domain.risk.deciding import newest
from domain.risk.manager import BETWEEN, SNAPSHOT
from simulation.chaos.timeline import Committed
from simulation.chaos.world import World
from supervisor.latch_keeper import LADDER

PULSES = 5
"""A halt of the gateway's is told with each: of so many that came through one at least told it."""


def latches(world: World) -> list[str]:
    """I5: a halt that the gateway raised comes on record, and so does a person's file; at the end all agree."""
    found = [*_untold(world), *_unmet(world)]
    return [*found, *_apart(world)] if world.completed else found


def _untold(world: World) -> Iterator[str]:
    """Yield the gateway's halts that no pulse told: raised, never confirmed, and not on record at the end of a run."""
    for run in range(1, world.timeline.run + 1):
        raised: dict[str, int] = {}
        for commit, values in _copies(world, run):
            raised = {trigger: raised.get(trigger, commit.at) for trigger in values["unheard"]}
        for trigger, at in raised.items():
            told = sum(each.run == run and each.at > at for each in world.timeline.pulses)
            if told >= PULSES and not _recorded(world, trigger, at):
                yield f"I5: in run {run} {told} pulses of the gateway did not bring its {trigger} on record"


def _copies(world: World, run: int) -> Iterator[tuple[Committed, Mapping[str, Any]]]:
    for commit in world.timeline.commits:
        if commit.role == GATEWAY and commit.run == run:
            for record in commit.records:
                if isinstance(record, MachineSnapshot) and record.name == LATCH:
                    yield commit, record.values


def _recorded(world: World, trigger: str, at: int) -> bool:
    return any(
        isinstance(record, HaltRecord)
        and (record.raised_by, record.trigger) == (GATEWAY, HaltTrigger(trigger))
        for commit in world.timeline.commits
        if commit.role == COORDINATOR and commit.at > at
        for record in commit.records
    )


def _unmet(world: World) -> Iterator[str]:
    """Yield the files that a person wrote and that went without a word of them in any record."""
    for written in world.timeline.by_hand:
        stands = world.latch.said == (0, written.words)
        if not stands and not _told_of(world, written.words, written.at):
            yield f"I5: a person's latch file ({written.words}) is gone and nowhere on record"


def _told_of(world: World, words: str, at: int) -> bool:
    """Say whether a movement names the file, or a person's own resume may have taken it away."""
    for commit in world.timeline.commits:
        if commit.role != COORDINATOR or commit.at < at:
            continue
        for record in commit.records:
            if isinstance(record, HaltRecord) and words in record.detail:
                return True
            if isinstance(record, AuditEvent) and record.kind is AuditKind.INTERVENTION:
                outcome = str(record.body["outcome"])
                if words in outcome or "latch file stands" in outcome:
                    return True
    return False


class _Copy(NamedTuple):
    """Be a role's copy of the latch: on which rung, of which version, and whether it has halts to tell."""

    rung: Rung
    version: int
    unheard: bool


def _apart(world: World) -> Iterator[str]:
    """Yield where, after a completed run, copy or file differs from the ladder with nothing on its way to mend it."""
    ladder = _values(world, COORDINATOR, LADDER)
    rung, version = highest(causes_from(ladder.get("causes", {}))), int(ladder.get("version", 0))
    copies = {GATEWAY: _gateways(world), RISK: _risk_managers(world)}
    if ladder.get("lowered") is None and not any(copy.unheard for copy in copies.values()):
        for role, copy in copies.items():
            stuck = copy.rung > Rung.ACTIVE and rung is Rung.ACTIVE
            # A risk manager that has closed everything stands at HALTED; its word of that may be on its way still.
            closed = role == RISK and copy.rung is Rung.HALTED and rung is Rung.FLATTENING
            if stuck or (copy.version == version and copy.rung < rung and not closed):
                yield f"I5: the {role} ends {copy.rung.name} at {copy.version}, the ladder {rung.name} at {version}"
    file, (written, _) = world.latch.rung, world.latch.said
    if file is not rung and not (file > rung and written < 1):
        yield f"I5: the latch's file ends {file.name}, the ladder {rung.name}"


def _gateways(world: World) -> _Copy:
    values = _values(world, GATEWAY, LATCH)
    return _Copy(Rung(values.get("rung", 0)), int(values.get("version", 0)), bool(values.get("unheard")))


def _risk_managers(world: World) -> _Copy:
    between = world.journals[RISK].snapshot(BETWEEN)
    values = newest(_values(world, RISK, SNAPSHOT), None if between is None else between.values)
    return _Copy(
        Rung(values.get("rung", 0)), int(values.get("latch_version", 0)), bool(values.get("unheard"))
    )


def _values(world: World, role: str, name: str) -> Mapping[str, Any]:
    snapshot = world.journals[role].snapshot(name)
    return {} if snapshot is None else snapshot.values
