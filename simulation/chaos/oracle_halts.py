"""Judge a world's halts: I5, what may go out while one stands and what protects a position, and restarts in limits."""

from __future__ import annotations

from collections import Counter, defaultdict

from domain.broker import OrderType, PlaceOrder, signed
from domain.latch_copy import LATCH
from domain.messages import COORDINATOR, GATEWAY
from domain.records import HaltRecord, IntentKind, MachineSnapshot
from simulation.chaos.world import World


def restarts(world: World) -> list[str]:
    """Supervision: no role is started more often within the window than its intensity bears."""
    found: list[str] = []
    starts: defaultdict[tuple[int, str], list[float]] = defaultdict(list)
    for built in world.timeline.built_roles:
        # Ray starts the coordinator, which counts for itself and gives up; one that dies before that counts nothing.
        if built.role != COORDINATOR:
            starts[(built.run, built.role)].append(built.at_s)
    most, within_s = world.intensity
    for (run, role), times in starts.items():
        again = times[1:]
        for place, at_s in enumerate(again):
            if sum(1 for earlier in again[: place + 1] if at_s - within_s < earlier) > most:
                found.append(f"supervision: {role} was started anew more than {most} times in run {run}")
                break
    return found


def halts(world: World) -> list[str]:
    """I5: no entry that the venue accepted left the gateway after it held a latch, or in a run that began with one.

    In flight is what went out before the gateway had the news: the latch is durable at the coordinator first, and its
    announcement is on the way.
    """
    found: list[str] = []
    kinds = {entry.order_ref: entry.kind for entry in world.journals[GATEWAY].orders()}
    accepted = {taken.order_ref for taken in world.timeline.taken if taken.accepted}
    moves, files = _latch_moves(world), world.timeline.latched
    for wire in world.timeline.wires:
        command = wire.command
        if not isinstance(command, PlaceOrder) or command.order_ref not in accepted:
            continue
        if kinds.get(command.order_ref) is not IntentKind.ENTRY:
            continue
        own = ladder = None
        for at, run, role, rung in moves:
            if at > wire.at:
                break
            if role == GATEWAY:
                own = rung
            else:
                ladder = (rung, run)
        if own:
            found.append(f"I5: {command.order_ref} went out though the gateway held a latch")
        if any(file.rung for file in [each for each in files if each.at < wire.at][-1:]):
            found.append(f"I5: {command.order_ref} went out though the latch's file stood")
        if ladder is not None and ladder[0] and ladder[1] < wire.run:
            found.append(f"I5: {command.order_ref} went out in a run that began halted")
    return found


def _latch_moves(world: World) -> list[tuple[int, int, str, int]]:
    """Return (when, run, who, rung) of every durable movement of a latch."""
    moves = []
    for commit in world.timeline.commits:
        for record in commit.records:
            if commit.role == COORDINATOR and isinstance(record, HaltRecord):
                moves.append((commit.at, commit.run, COORDINATOR, int(record.rung)))
            elif commit.role == GATEWAY and isinstance(record, MachineSnapshot) and record.name == LATCH:
                moves.append((commit.at, commit.run, GATEWAY, int(record.values["rung"])))
    return moves


def unprotected(world: World) -> list[str]:
    """I5: what is held at the venue is covered by working protective stops."""
    covered: Counter[str] = Counter()
    for order in world.venue.book.working():
        if order.order_type is OrderType.STOP and order.parent_ref:
            covered[order.symbol] -= signed(order.side, order.remaining)
    return [
        f"I5: {symbol} holds {lots} lots, stops cover {covered[symbol]}"
        for symbol, lots in world.venue.account.positions.items()
        if covered[symbol] * (1 if lots > 0 else -1) < abs(lots)
    ]
