"""Search for faults: histories of approvals, venue words in any order, lost links, timers, halts and restarts."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.broker import OrderStatus, PlaceOrder, Side
from domain.commands import CancelOrders, ResolveOrder
from domain.execution_book import ExecutionBook
from domain.messages import Begin, Drain, GatewayInbox, OrdersApproved
from domain.records import IntentKind, OrderState, Rung
from tests.sizes import prove_size
from tests.unit.domain.gateway_bench import (
    LEASED,
    Bench,
    FakeVenue,
    approval,
    approved,
    intent,
    latch,
    linked,
    lost,
)

KINDS = st.sampled_from((IntentKind.ENTRY, IntentKind.EXIT))
AGES = (*[0] * 5, -1)
DEATHS = st.sampled_from((*[None] * 12, 0, 1, 2, 3, 4, 5))
"""After how many outputs the process ends, if it does."""


class GatewayUnderFaults(RuleBasedStateMachine):
    """Drive a gateway and a venue; `Bench` checks I1, I2, I4 and the settling of bars at every output.

    The coordinator answers pulses or does not, and the process may end after any output.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(LEASED)
        self.venue = FakeVenue()
        self.bar = 1
        self.connection = 0
        self.version = 0
        self.sent: list[OrdersApproved] = []
        self.numbers = 0
        self.delayed: list[PlaceOrder] = []

    @initialize()
    def begin(self) -> None:
        self.connection = 1
        self.bench.give(Begin())
        self.bench.lease()
        self.bench.open(1, self.venue)

    @rule(
        orders=st.lists(
            st.tuples(KINDS, st.sampled_from(Side), st.integers(1, 15), st.sampled_from(AGES)), max_size=3
        ),
        rung=st.sampled_from((*[Rung.ACTIVE] * 11, Rung.REDUCING)),
        cancel=st.integers(0, 9),
        moves_on=st.booleans(),
        dies=DEATHS,
    )
    def approve(
        self,
        orders: list[tuple[IntentKind, Side, int, int]],
        rung: Rung,
        cancel: int,
        moves_on: bool,
        dies: int | None,
    ) -> None:
        self.bar += moves_on
        approvals = []
        for kind, side, lots, age in orders:
            self.numbers += 1
            of = intent(self.numbers, bar=self.bar, kind=kind, side=side, lots=lots)
            approvals.append(approval(of, expires=self.bar + age))
        known = sorted(self.venue.orders)
        cancels = (known[cancel % len(known)],) if known and cancel < 3 else ()
        message = approved(*approvals, bar=self.bar, cancels=cancels, rung=rung, version=self.version)
        self.sent.append(message)
        self._give(message, dies)
        for stale in (one for one in approvals if one.expires_bar < self.bar):
            assert self.bench.placed[stale.intent.intent_id] == 0

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 99), dies=DEATHS)
    def approve_again(self, which: int, dies: int | None) -> None:
        self._give(self.sent[which % len(self.sent)], dies)

    @precondition(lambda self: self.bench.wires)
    @rule(count=st.integers(1, 4), lose=st.booleans())
    def wire(self, count: int, lose: bool) -> None:
        """Let the venue read some commands, in order; a lost one takes the link with it."""
        taken, self.bench.wires = self.bench.wires[:count], self.bench.wires[count:]
        if lose:
            self.delayed += [command for command in taken if isinstance(command, PlaceOrder)]
            self.bench.wires.clear()
            self.bench.give(lost(self.connection))
            return
        for command in taken:
            self.venue.take(command)

    @precondition(lambda self: self.delayed)
    @rule()
    def arrive_late(self) -> None:
        """Let a command that was taken for lost reach the venue after all."""
        self.venue.take(self.delayed.pop())

    @precondition(lambda self: self.venue.said)
    @rule(which=st.integers(0, 99), keep=st.booleans(), dies=DEATHS)
    def deliver(self, which: int, keep: bool, dies: int | None) -> None:
        """Bring one thing the venue said, in any order, perhaps again later."""
        at = which % len(self.venue.said)
        message = self.venue.said[at]
        if not keep:
            del self.venue.said[at]
        self._give(message, dies)

    @rule(which=st.integers(0, 99), lots=st.integers(1, 15))
    def trade(self, which: int, lots: int) -> None:
        working = [ref for ref, order in self.venue.orders.items() if order.status is OrderStatus.WORKING]
        if working:
            self.venue.fill(working[which % len(working)], lots)

    @precondition(lambda self: self.venue.executions)
    @rule(which=st.integers(0, 99), lots=st.integers(1, 15))
    def correct(self, which: int, lots: int) -> None:
        self.venue.correct(which, lots)

    @rule(lower=st.booleans())
    def flow(self, lower: bool) -> None:
        """Let commands and words pass in order for a while, the link come back, and perhaps the latch go down."""
        if not self.bench.machine.state()["gate_open"]:
            self._heal()
        for _ in range(2):
            self._exchange()
        if lower:
            self.move_latch(Rung.ACTIVE, True, False)

    @rule(answered=st.booleans())
    def pulse(self, answered: bool) -> None:
        """Ask for a lease; unanswered for so long, it runs out."""
        self.bench.fire("pulse")
        if answered:
            self.bench.lease()
        else:
            self.bench.lapse()

    @rule(which=st.integers(0, 99), key=st.integers(0, 5), verb=st.sampled_from((CancelOrders, ResolveOrder)))
    def command(self, which: int, key: int, verb: type) -> None:
        """Have a person cancel or resolve an order."""
        refs = sorted(self.bench.book.orders)
        if refs:
            ref = refs[which % len(refs)]
            named = {"order_refs": (ref,)} if verb is CancelOrders else {"order_ref": ref}
            self.bench.give(verb(key=f"{verb.__name__}{key}", who="eve", reason="test", **named))

    @rule(which=st.sampled_from(("lose", "connect", "older", "restart", "fire")), when=st.integers(0, 3))
    def disturb(self, which: str, when: int) -> None:
        if when == 0:
            getattr(self, f"_{which}")()

    @rule(
        rung=st.sampled_from((Rung.ACTIVE, *Rung)),
        lowers=st.booleans(),
        older=st.booleans(),
        scope=st.sampled_from((None, None, "symbol:AAPL", "book:other")),
    )
    def move_latch(self, rung: Rung, lowers: bool, older: bool, scope: str | None = None) -> None:
        self.version += not older
        heard = tuple({halt.trigger for halt in self.bench.halts})
        scoped = () if scope is None else ((scope, Rung.HALTED),)
        lowers = lowers or rung is Rung.ACTIVE
        self.bench.give(latch(rung, self.version, lowers=lowers, active=heard, scoped=scoped))

    def _lose(self) -> None:
        self.venue.said.clear()
        self.bench.wires.clear()
        self.bench.give(lost(self.connection))

    def _connect(self) -> None:
        self.connection += 1
        self.bench.wires.clear()
        for _ in range(2):  # told twice, asked once
            self.bench.give(linked(self.connection))
        assert len(self.bench.wires) == 4

    def _older(self) -> None:
        self.bench.give(lost(self.connection - 1) if self.connection > 1 else linked(self.connection))

    def _fire(self) -> None:
        for name in sorted(self.bench.timers):
            self.bench.fire(name)
            return

    def _restart(self) -> None:
        self.bench.restart()
        self.venue.said.clear()
        self.bench.give(Begin())

    def _give(self, message: GatewayInbox, dies: int | None) -> None:
        """Hand over a message; where the process dies of it, what it wrote may still reach the venue."""
        self.bench.give(message, dies_after=dies)
        if dies is None:
            return
        flying, self.bench.wires = self.bench.wires, []
        for command in flying[: dies % 3]:
            self.venue.take(command)
        self.delayed += [command for command in flying[dies % 3 :] if isinstance(command, PlaceOrder)]
        self.venue.said.clear()
        self.bench.give(Begin())

    @invariant()
    def a_restart_would_know_the_same(self) -> None:
        book = ExecutionBook(self.bench.entries())
        ours = self.bench.book
        assert book.orders == ours.orders
        assert set(book.open_refs) == set(ours.open_refs)
        assert book.seq == ours.seq
        assert {k: v for k, v in book.positions.items() if v} == {
            k: v for k, v in ours.positions.items() if v
        }

    @invariant()
    def positions_are_the_sum_of_standing_executions(self) -> None:
        counted = {k: v for k, v in self.bench.positions().items() if v}
        assert {k: v for k, v in self.bench.book.positions.items() if v} == counted

    @invariant()
    def no_entry_stays_open_under_a_halt_or_without_a_lease(self) -> None:
        scoped = "symbol:AAPL" in self.bench.machine.state()["scoped"]
        forbidden = self.bench.rung > Rung.ACTIVE or scoped or self.bench.machine._lease.lapsed
        if forbidden and self.bench.machine.state()["gate_open"]:
            entries = [one for one in self.bench.book.orders.values() if one.kind is IntentKind.ENTRY]
            states = {one.state for one in entries if one.order_ref in self.bench.book.open_refs}
            assert states <= {OrderState.CANCEL_SENT, OrderState.UNKNOWN}

    def teardown(self) -> None:
        """Let the faults end: everything settles, nothing waits for ever, and the books agree with the venue."""
        if self.connection == 0:
            return
        bench, venue = self.bench, self.venue
        self._heal()
        for _ in range(4):
            self._exchange()
        assert bench.machine.state()["gate_open"]
        assert bench.book.account_positions() == venue.positions()
        assert bench.machine.state()["settling"] is None
        assert not +bench.owed
        bench.give(Drain(reason="end", cancel_entries=True))
        for _ in range(3):
            self._exchange()
        assert bench.drained == 1
        assert not bench.machine._orders.open_entries()

    def _heal(self) -> None:
        """Lose the link and open it again until the gate opens, as often as absences must be confirmed."""
        self._lose()
        self.pulse(True)
        for _ in range(4):
            self._connect()
            for _ in range(4):
                self._exchange()
                if "absence" in self.bench.timers:
                    self.bench.fire("absence")
            if self.bench.machine.state()["gate_open"]:
                return

    def _exchange(self) -> None:
        wires, self.bench.wires = self.bench.wires, []
        for command in wires:
            self.venue.take(command)
        said, self.venue.said = self.venue.said, []
        for message in said:
            self.bench.give(message)


GatewayUnderFaults.TestCase.settings = settings(
    max_examples=prove_size(60, 5_000),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestGatewayUnderFaults = GatewayUnderFaults.TestCase
