"""Judge a world by the venue's own record: invariants I1 to I6, the ready gate, its figures, and that it ends.

Nothing of that takes the engine's word alone: orders, executions, positions and cash are the venue's, what was durable
before what is the timeline's, and the portfolio is rebuilt from the gateway's journal by its own rules. Day and peak of
the account are the risk manager's own, held against each other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from domain.audit_machine import LAST_CALL_S
from domain.broker import DownloadKind, PlaceOrder
from domain.instruments import MICRO
from domain.messages import AUDIT, GATEWAY
from domain.order_refs import without_session
from domain.outbox import AuditEvent, AuditKind
from domain.portfolio import Portfolio
from domain.records import (
    CashEntry,
    ExecutionEntry,
    OrderEntry,
    OrderState,
)
from simulation.chaos.faults import FaultKind
from simulation.chaos.oracle_figures import figures
from simulation.chaos.oracle_halts import halts, restarts, unprotected
from simulation.chaos.oracle_latch import latches
from simulation.chaos.timeline import Failed
from simulation.chaos.world import KEEPERS, STALL_S, World


def judge(world: World) -> list[str]:
    """Return every rule that `world`, run to its end, has broken, the word of the rule first."""
    found = [
        *world.violations,
        *_orders(world),
        *_gate(world),
        *_epochs(world),
        *halts(world),
        *latches(world),
        *figures(world),
        *_failures(world),
    ]
    found += restarts(world)
    found += _audit(world)
    if world.completed:
        found += [*_booked(world), *_account(world), *unprotected(world)]
    else:
        found.append(f"liveness: {len(world.runs)} runs and no end: {', '.join(world.runs)}")
    return found


def judge_run(world: World) -> None:
    """Look at what one run left behind, whatever ended it."""
    world.violations += unprotected(world)
    if world.runs[-1] == "stalled":
        world.violations.append(f"stall: run {world.timeline.run} settled no bar for {STALL_S:g} s")
    if world.runs[-1] == "idle":
        world.violations.append("liveness: every role waits and no timer runs")


def _orders(world: World) -> list[str]:
    """I1 and I4: one order an intent, each one durable before it was on the wire, and as it was decided."""
    found: list[str] = []
    sent = Counter(
        wire.command.order_ref for wire in world.timeline.wires if isinstance(wire.command, PlaceOrder)
    )
    found += [f"I1: {ref} went out {n} times" for ref, n in sent.items() if n > 1]
    intents: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    entries = {entry.order_ref: entry for entry in world.journals[GATEWAY].orders()}
    durable = _durable_intents(world)
    for wire in world.timeline.wires:
        command = wire.command
        if not isinstance(command, PlaceOrder):
            continue
        ref = command.order_ref
        if durable.get(ref, wire.at) >= wire.at:
            found.append(f"I4: {ref} was on the wire before its intent and approval were durable")
        entry = entries.get(ref)
        if entry is not None:
            intents[(entry.book, entry.symbol, str(entry.bar))].append(ref)
            decided = (entry.symbol, entry.side, entry.order_type)
            if decided != (command.symbol, command.side, command.order_type):
                found.append(f"I4: {ref} left as {command}, decided was {entry}")
    found += [f"I1: one intent became {refs}" for refs in intents.values() if len(set(refs)) > 1]
    return found


def _durable_intents(world: World) -> dict[str, int]:
    """Return when each order was first durable as SENT together with the audit event of its approval."""
    found: dict[str, int] = {}
    for commit in world.timeline.commits:
        if commit.role != GATEWAY:
            continue
        approved = {
            record.key
            for record in commit.records
            if isinstance(record, AuditEvent) and record.kind is AuditKind.ORDER
        }
        sent = [
            each for each in commit.records if isinstance(each, OrderEntry) and each.state is OrderState.SENT
        ]
        for order in sent:
            if without_session(order.order_ref) in approved:
                found.setdefault(order.order_ref, commit.at)
    return found


def _gate(world: World) -> list[str]:
    """Ready gate: on each connection, the four downloads were heard before the first order went out."""
    heard: defaultdict[int, set[DownloadKind]] = defaultdict(set)
    told = iter(sorted(world.timeline.heard))
    following = next(told, None)
    found: list[str] = []
    for wire in world.timeline.wires:
        while following is not None and following.at < wire.at:
            heard[following.connection].add(following.kind)
            following = next(told, None)
        if isinstance(wire.command, PlaceOrder) and heard[wire.connection] != set(DownloadKind):
            found.append(f"ready gate: {wire.command.order_ref} went out unreconciled on {wire.connection}")
    return found


def _epochs(world: World) -> list[str]:
    """Epochs: what a former life of the risk manager approved does not go out once a newer one has spoken."""
    found: list[str] = []
    heard = iter(world.timeline.approvals)
    following = next(heard, None)
    newest, epoch_of = 0, dict[str, int]()
    run = 0
    for wire in world.timeline.wires:
        if wire.run != run:
            run, newest, epoch_of = wire.run, 0, {}
        while following is not None and following.at < wire.at:
            if following.run == run:
                newest = max(newest, following.epoch)
                for ref in following.refs:
                    epoch_of[ref] = max(epoch_of.get(ref, 0), following.epoch)
            following = next(heard, None)
        if isinstance(wire.command, PlaceOrder) and epoch_of.get(wire.command.order_ref, newest) < newest:
            found.append(
                f"epoch: {wire.command.order_ref} of epoch {epoch_of[wire.command.order_ref]}, newest {newest}"
            )
    return found


def _booked(world: World) -> list[str]:
    """I2: each execution of the venue is in the gateway's journal once, and nothing else is."""
    theirs = Counter(execution.exec_id for execution in world.venue.executions)
    ours = Counter(entry.execution.exec_id for entry in _entries(world) if isinstance(entry, ExecutionEntry))
    filled = {
        order.order_ref: order.filled_lots
        for order in (*world.venue.book.working(), *world.venue.book.completed())
    }
    found = [f"I2: {name} was executed and is not booked" for name in (theirs - ours)]
    found += [
        f"I2: {name} is booked {ours[name]} times, executed {theirs[name]} times" for name in (ours - theirs)
    ]
    for order in world.journals[GATEWAY].orders():
        if order.order_ref in filled and order.filled_lots != filled[order.order_ref]:
            found.append(
                f"I2: {order.order_ref} filled {order.filled_lots}, at the venue {filled[order.order_ref]}"
            )
    return found


def _account(world: World) -> list[str]:
    """I3: positions and cash of the rebuilt portfolio, and of the risk manager at its end, are the venue's."""
    settings, account = world.risk_settings, world.venue.account
    if settings is None:
        return ["I3: no risk manager was ever built"]
    portfolio = Portfolio(
        settings.instruments.values(), {settings.currency: settings.cash_micro}, settings.currency
    )
    for entry in _entries(world):
        if isinstance(entry, (ExecutionEntry, CashEntry)):
            portfolio.apply(entry)
    theirs = dict(sorted(account.positions.items()))
    found = []
    told = {"rebuilt": (portfolio.lots(), portfolio.cash_micro())}
    if world.risk_state:  # it may have died after the last bar
        told["live"] = (dict(world.risk_state["positions"]), round(world.risk_state["cash"] * MICRO))
    for name, (lots, cash_micro) in told.items():
        if lots != theirs:
            found.append(f"I3: the {name} portfolio holds {lots}, the venue {theirs}")
        if cash_micro != account.cash_micro:
            found.append(f"I3: the {name} portfolio has {cash_micro} micro, the venue {account.cash_micro}")
    return found


def _entries(world: World) -> Iterable[object]:
    journal = world.journals[GATEWAY]
    return journal.entries(0, 1_000_000)


def _audit(world: World) -> list[str]:
    """I6: the chain holds, and what roles committed is in it once, in their order; all of it after an orderly end."""
    found = [f"I6: {fault}" for fault in world.trail.faults()]
    for role in KEEPERS:
        committed, told = world.journals[role].events, world.trail.events.get(role, [])
        if [_known(event) for event in told] != [_known(event) for event in committed[: len(told)]]:
            found.append(f"I6: the trail tells otherwise than {role} committed")
        due = _events_before(world, role, world.timeline.last_call)
        if world.completed and len(told) < due and not _last_call_missed(world):
            found.append(f"I6: {due - len(told)} events of {role} are not in the trail")
    return found


def _events_before(world: World, role: str, at: int) -> int:
    """Count the events that `role` had committed by then."""
    return sum(
        isinstance(record, AuditEvent)
        for commit in world.timeline.commits
        if commit.role == role and commit.at < at
        for record in commit.records
    )


def _last_call_missed(world: World) -> bool:
    """Say whether a message of the last run was later than the audit writer waits for its sources at the end."""
    return any(
        strike.run == world.timeline.run
        and strike.fault.kind in _HOLDING
        and strike.fault.value > LAST_CALL_S
        for strike in world.timeline.struck
    )


def _known(event: AuditEvent) -> tuple[object, ...]:
    return event.kind, event.at_ns, event.bar, event.key, event.decision


def _failures(world: World) -> list[str]:
    """No role may contradict itself; what a fault explains is none; after a failed write nothing is tried again."""
    found = [
        f"failure: {failed.role} in run {failed.run}: {failed.kind}: {failed.words}"
        for failed in world.timeline.failures
        if not _explained(failed, world)
    ]
    tried = {role: journal.refused_after_failure for role, journal in world.journals.items()}
    tried[AUDIT] = world.trail.refused_after_failure
    return [
        *found,
        *(f"durability: {role} tried {n} writes after one had failed" for role, n in tried.items() if n),
    ]


def _explained(failed: Failed, world: World) -> bool:
    """Say whether a fault that struck is what the failure says; one lost message explains no silence."""
    struck = [strike.fault for strike in world.timeline.struck if strike.run == failed.run]
    match failed.kind:
        case "DurabilityError":
            return any(fault.kind is FaultKind.DISK_FAILS for fault in struck)
        case "StrategyRaised":
            return any(fault.kind is FaultKind.STRATEGY_FAILS for fault in struck)
        case "Unanswered":
            return any(fault.kind in _HOLDING and fault.value >= SILENCE_S for fault in struck)
        case _:
            return False


_HOLDING = frozenset({FaultKind.MESSAGE_LATE, FaultKind.MESSAGE_DOUBLED, FaultKind.CLOCK_JUMP})
"""Faults that bring a message after its time, by their value in seconds."""

SILENCE_S = 12.0
"""A message that is so late outlasts three askings, 6 s apart."""
