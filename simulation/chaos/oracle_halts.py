"""Judge a world's halts: I5, what may go out while one stands and what protects a position, and restarts in limits."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import NamedTuple

from domain.broker import OrderType, PlaceOrder, signed
from domain.latch_copy import LATCH
from domain.messages import COORDINATOR, GATEWAY
from domain.records import HaltRecord, IntentKind, MachineSnapshot, OrderEntry, OrderState
from simulation.chaos.faults import FaultKind
from simulation.chaos.world import World


def restarts(world: World) -> list[str]:
    """Supervision: no role is started more often within the window than its intensity bears."""
    found: list[str] = []
    starts: defaultdict[tuple[int, str], list[float]] = defaultdict(list)
    # A person may start a role as often as they like, and its record is clean again then.
    asked = {
        (strike.run, strike.fault.where.partition(" ")[2])
        for strike in world.timeline.struck
        if strike.fault.kind is FaultKind.COMMAND
    }
    # A jump between an end and the start that follows makes starts look closer than the ends, which are what counts.
    jumped = {strike.run for strike in world.timeline.struck if strike.fault.kind is FaultKind.CLOCK_JUMP}
    for built in world.timeline.built_roles:
        if built.run in jumped:
            continue
        # Ray starts the coordinator, which counts for itself and gives up; one that dies before that counts nothing.
        if built.role != COORDINATOR and (built.run, built.role) not in asked:
            starts[(built.run, built.role)].append(built.at_s)
    most, within_s = world.intensity
    for (run, role), times in starts.items():
        again = times[1:]
        for place, at_s in enumerate(again):
            if sum(1 for earlier in again[: place + 1] if at_s - within_s < earlier) > most:
                found.append(f"supervision: {role} was started anew more than {most} times in run {run}")
                break
    return found


class _Moved(NamedTuple):
    """Be one durable movement of a latch: whose, and on which scopes it stands since (the account is "")."""

    at: int
    run: int
    role: str
    rungs: dict[str, int]


def halts(world: World) -> list[str]:
    """I5: no entry that the venue accepted went out while the latch's file stood, or against a latch that it knew.

    In flight is what went out before the gateway had the news of a latch that is durable at the coordinator alone, and
    before its file was written: that is between two outputs of one `handle`.
    """
    found: list[str] = []
    entries = {entry.order_ref: entry for entry in world.journals[GATEWAY].orders()}
    accepted = {taken.order_ref for taken in world.timeline.taken if taken.accepted}
    moves, files = _latch_moves(world), world.timeline.latched
    for wire in world.timeline.wires:
        command = wire.command
        if not isinstance(command, PlaceOrder) or command.order_ref not in accepted:
            continue
        entry = entries.get(command.order_ref)
        if entry is None or entry.kind is not IntentKind.ENTRY:
            continue
        scopes = {"", f"book:{entry.book}", f"symbol:{entry.symbol}"}
        before = [move for move in moves if move.at < wire.at]
        own = next((move for move in reversed(before) if move.role == GATEWAY), None)
        ladder = next((move for move in reversed(before) if move.role == COORDINATOR), None)
        file = next((each for each in reversed(files) if each.at < wire.at), None)
        if own is not None and _stands(own, scopes):
            found.append(f"I5: {command.order_ref} went out though the gateway held a latch")
        if file is not None and file.rung > 0:
            found.append(f"I5: {command.order_ref} went out though the latch's file stood")
        if ladder is not None and _stands(ladder, scopes) and ladder.run < wire.run:
            found.append(f"I5: {command.order_ref} went out in a run that began halted")
    return found


def _stands(move: _Moved, scopes: set[str]) -> bool:
    return any(move.rungs.get(scope, 0) > 0 for scope in scopes)


def _latch_moves(world: World) -> list[_Moved]:
    """Return every durable movement of a latch, in order."""
    moves: list[_Moved] = []
    ladder: dict[str, int] = {}
    for commit in world.timeline.commits:
        for record in commit.records:
            if commit.role == COORDINATOR and isinstance(record, HaltRecord):
                ladder = {**ladder, record.scope: int(record.rung)}
                moves.append(_Moved(commit.at, commit.run, COORDINATOR, ladder))
            elif commit.role == GATEWAY and isinstance(record, MachineSnapshot) and record.name == LATCH:
                rungs = {"": int(record.values["rung"]), **record.values["scoped"]}
                moves.append(_Moved(commit.at, commit.run, GATEWAY, rungs))
    return moves


def unprotected(world: World) -> list[str]:
    """I5: what is held at the venue is covered by working protective stops.

    Not judged is a symbol of which an order turned up that was given up by the rule (absent twice): its arrival is
    adopted and halts, and what it crossed on its way is a person's to put right.
    """
    given_up = {
        record.order_ref
        for commit in world.timeline.commits
        for record in commit.records
        if isinstance(record, OrderEntry) and record.state is OrderState.NEVER_ARRIVED
    }
    late = {order.symbol for ref in given_up if (order := world.venue.book.get(ref)) is not None}
    covered: Counter[str] = Counter()
    for order in world.venue.book.working():
        if order.order_type is OrderType.STOP and order.parent_ref:
            covered[order.symbol] -= signed(order.side, order.remaining)
    return [
        f"I5: {symbol} holds {lots} lots, stops cover {covered[symbol]}"
        for symbol, lots in world.venue.account.positions.items()
        if covered[symbol] * (1 if lots > 0 else -1) < abs(lots) and symbol not in late
    ]
