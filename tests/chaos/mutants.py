"""Plant faults in the engine itself, one a mutant: the search must find each ("Shows" 5).

A mutant changes the parts of a role as the chaos runtime builds it; no source is edited. `breakwater chaos --mutant`
takes their names too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from actors.latched_broker import LatchedBroker
from actors.parts import Parts
from domain.bars import BarGroup
from domain.broker import CancelOrder, Executed, PlaceOrder
from domain.execution_book import ExecutionBook
from domain.gateway import Gateway
from domain.halt_messages import LatchChanged, LatchHeld, RaiseHalt
from domain.messages import COORDINATOR, GATEWAY, RISK, JournalUpdate
from domain.outputs import Output, Persist, Send, Wire
from domain.ports import LatchPort, Machine
from domain.records import ExecutionEntry, HaltTrigger, IntentKind, OrderState
from domain.risk.book_keeping import BookKeeping
from domain.risk.manager import RiskManager
from domain.venue_link import VenueLink
from supervisor.coordinator import Coordinator
from supervisor.restart_policy import Intensity


class Wrapped:
    """Be a machine whose outputs are changed before they are carried out."""

    def __init__(self, machine: Machine, change: Callable[[Any, list[Output]], list[Output]]) -> None:
        self._machine, self._change = machine, change

    def handle(self, message: Any) -> list[Output]:
        return self._change(message, self._machine.handle(message))

    def state(self) -> Mapping[str, Any]:
        return self._machine.state()


def no_commit_before_wire(role: str, parts: Parts) -> Parts:
    """Write to the wire first and to the journal after it."""
    if role != GATEWAY:
        return parts

    def late(message: Any, outputs: list[Output]) -> list[Output]:
        return sorted(outputs, key=lambda output: not isinstance(output, Wire))

    return replace(parts, machine=Wrapped(parts.machine, late))


class Uncounting(ExecutionBook):
    """Book an execution as often as it is told."""

    def execute(self, execution: Executed, bar: int) -> bool:
        again = sum(each.partition("/")[0] == execution.exec_id for each in self.exec_ids())
        exec_id = f"{execution.exec_id}/{again}" if again else execution.exec_id
        return super().execute(replace(execution, exec_id=exec_id), bar)


def no_execution_id_check(role: str, parts: Parts) -> Parts:
    """Book what the venue tells, told before or not."""
    if role == GATEWAY:
        _gateway(parts)._book.__class__ = Uncounting
    return parts


class Ungated(VenueLink):
    """Hold the gate open as soon as a connection is up."""

    @property
    def gate_open(self) -> bool:
        return self.up

    @gate_open.setter
    def gate_open(self, is_open: bool) -> None: ...


def no_ready_gate(role: str, parts: Parts) -> Parts:
    """Trade on a connection that nothing was reconciled on."""
    if role == GATEWAY:
        link = _gateway(parts)._link
        del link.__dict__["gate_open"]
        link.__class__ = Ungated
    return parts


def sends_unknown_again(role: str, parts: Parts) -> Parts:
    """Send an order once more when its outcome is unknown."""
    if role != GATEWAY:
        return parts
    gateway, placed = _gateway(parts), dict[str, PlaceOrder]()

    def again(message: Any, outputs: list[Output]) -> list[Output]:
        for output in outputs:
            if isinstance(output, Wire) and isinstance(output.command, PlaceOrder):
                placed[output.command.order_ref] = output.command
        lost = [ref for ref in placed if gateway._book.orders[ref].state is OrderState.UNKNOWN]
        if lost and gateway._link.up:
            outputs = [*outputs, *(Wire(placed.pop(ref)) for ref in lost)]
        return outputs

    return replace(parts, machine=Wrapped(gateway, again))


def cancels_stops(role: str, parts: Parts) -> Parts:
    """Cancel protective stops along with entries."""
    if role != GATEWAY:
        return parts
    gateway = _gateway(parts)

    def also(message: Any, outputs: list[Output]) -> list[Output]:
        entries = any(isinstance(each, Wire) and isinstance(each.command, CancelOrder) for each in outputs)
        orders = gateway._book.orders
        stops = (
            [ref for ref in gateway._book.open_refs if orders[ref].kind is IntentKind.STOP] if entries else []
        )
        return [*outputs, *(Wire(CancelOrder(order_ref=ref)) for ref in stops)]

    return replace(parts, machine=Wrapped(gateway, also))


def no_epoch_check(role: str, parts: Parts) -> Parts:
    """Let the gateway take what a former life of the risk manager approved."""
    if role == GATEWAY:
        gate = _gateway(parts)._orders
        view = gate._view
        gate._view = lambda approval: view(approval)._replace(epoch=0)  # type: ignore[method-assign]
    return parts


def no_latch_file(role: str, parts: Parts) -> Parts:
    """Let orders pass without a look at the latch's file."""
    if role != GATEWAY:
        return parts
    assert isinstance(parts.broker, LatchedBroker)
    return replace(parts, broker=parts.broker._broker)


class Unread:
    """Be a latch of which nobody reads who wrote it (port: `domain.ports.LatchPort`)."""

    def __init__(self, latch: LatchPort) -> None:
        self._latch = latch
        self.write, self.read = latch.write, latch.read

    def word(self) -> tuple[int, str]:
        return 1, self._latch.word()[1]


def meets_no_file(role: str, parts: Parts) -> Parts:
    """Write over the latch's file whoever wrote it."""
    if parts.latch is None:
        return parts
    return replace(parts, latch=Unread(parts.latch))


def tells_no_halt_again(role: str, parts: Parts) -> Parts:
    """Tell a halt of the gateway's once, and hold whatever lowering is announced."""
    if role != GATEWAY:
        return parts

    def once(message: Any, outputs: list[Output]) -> list[Output]:
        kept = [each for each in outputs if not (isinstance(each, Send) and _is_told_again(each.message))]
        if isinstance(message, LatchChanged) and len(kept) < len(outputs):
            kept.append(Send(COORDINATOR, LatchHeld(role=GATEWAY, version=message.version)))
        return kept

    return replace(parts, machine=Wrapped(parts.machine, once))


def _is_told_again(message: Any) -> bool:
    return isinstance(message, RaiseHalt) and message.again


def no_intensity_limit(role: str, parts: Parts) -> Parts:
    """Start a role anew however often it ends."""
    if role == COORDINATOR:
        assert isinstance(parts.machine, Coordinator)
        parts.machine._children.intensity = Intensity(1_000_000, 60.0)
    return parts


def keeps_no_latch(role: str, parts: Parts) -> Parts:
    """Let the gateway forget every halt it hears of, and look at no file."""
    if role != GATEWAY:
        return parts
    _gateway(parts)._latch.forbids = lambda book, symbol: ""  # type: ignore[method-assign]
    return no_latch_file(role, parts)


def drops_corrections(role: str, parts: Parts) -> Parts:
    """Let the risk manager take no correction of an execution."""
    if role != RISK:
        return parts
    risk = parts.machine

    class Deaf:
        def handle(self, message: Any) -> list[Output]:
            if isinstance(message, JournalUpdate):
                kept = tuple(
                    entry
                    for entry in message.entries
                    if not (isinstance(entry, ExecutionEntry) and entry.execution.corrects)
                )
                message = message._replace(entries=kept)
            return risk.handle(message)

        def state(self) -> Mapping[str, Any]:
            return risk.state()

    return replace(parts, machine=Deaf())


def loses_a_commit(role: str, parts: Parts) -> Parts:
    """Say a bar settled whose fills were never made durable."""
    if role != GATEWAY:
        return parts

    def forgetful(message: Any, outputs: list[Output]) -> list[Output]:
        fills = any(
            isinstance(record, ExecutionEntry)
            for output in outputs
            if isinstance(output, Persist)
            for record in output.records
        )
        return [each for each in outputs if isinstance(each, Send)] if fills else outputs

    return replace(parts, machine=Wrapped(parts.machine, forgetful))


class Revaluing(BookKeeping):
    """Value a bar that comes again as if it were new, on books that may have moved since."""

    def mark(self, group: BarGroup) -> list[tuple[HaltTrigger, str]]:
        self.bar = min(self.bar, group.index - 1)
        return super().mark(group)


def values_a_bar_again(role: str, parts: Parts) -> Parts:
    """Take the bar of the snapshot, published again after a crash, for a new one."""
    if role == RISK:
        assert isinstance(parts.machine, RiskManager)
        parts.machine._books.__class__ = Revaluing
    return parts


def _gateway(parts: Parts) -> Gateway:
    assert isinstance(parts.machine, Gateway)
    return parts.machine


MUTANTS = {
    mutant.__name__: mutant
    for mutant in (
        no_commit_before_wire,
        no_execution_id_check,
        no_epoch_check,
        no_ready_gate,
        no_latch_file,
        no_intensity_limit,
        sends_unknown_again,
        cancels_stops,
        keeps_no_latch,
        drops_corrections,
        loses_a_commit,
        meets_no_file,
        tells_no_halt_again,
        values_a_bar_again,
    )
}
"""Each mutant by its name."""
