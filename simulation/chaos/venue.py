"""Be the venue of a fault search: the simulated one, which also refuses and corrects when told to.

It outlives every run of the engine. The oracle reads its orders, executions and account, which nothing else may touch.
"""

from __future__ import annotations

from dataclasses import replace

from domain.broker import BrokerUpdate, Executed, PlaceOrder, RefusalCode, Side
from domain.errors import InvariantViolation
from simulation.venue.acceptance import place
from simulation.venue.account import Account
from simulation.venue.machine import NO_ADVANCE, VenueInput, VenueMachine
from simulation.venue.orders import OrderBook
from simulation.venue.turn import Turn

CORRECTED = ".02"
"""What IB adds to the id of an execution that it corrects."""


class ChaosVenue(VenueMachine):
    """Hold the truth about orders and money."""

    @property
    def book(self) -> OrderBook:
        """Return every order that ever reached the venue."""
        return self._state.book

    @property
    def account(self) -> Account:
        """Return positions and cash."""
        return self._state.account

    @property
    def executions(self) -> list[Executed]:
        """Return every execution and correction, oldest first."""
        return self._state.executions

    def answered(self, message: VenueInput) -> BrokerUpdate:
        """Return the answer to `message`; its commit is in memory already."""
        return _update(self.handle(message)[-1].message)  # type: ignore[union-attr]

    def refuse(self, command: PlaceOrder) -> BrokerUpdate:
        """Refuse an order that it would have taken."""
        turn = Turn(self._state, self._state.cursor.group)
        place(turn, command, (RefusalCode.BUYING_POWER, "refused by the fault search"))
        return BrokerUpdate(at_ns=self.now_ns, advanced=NO_ADVANCE, events=tuple(turn.events))

    def correct(self, choice: float) -> Executed | None:
        """Correct the price and the commission of an execution that nothing corrected yet; None where there is none."""
        state = self._state
        corrected = {execution.corrects for execution in state.executions}
        open_ = [done for done in state.executions if done.exec_id not in corrected]
        if not open_:
            return None
        # Of the newest mostly: a venue corrects what happened lately.
        old = open_[-1 - int(choice * choice * len(open_))]
        tick = state.instruments[old.symbol].tick_at(old.price)
        steps = 1 + int(choice * 10.0)
        price = old.price + tick * (steps if choice < 0.5 else -steps)
        new = replace(
            old,
            exec_id=old.exec_id + CORRECTED,
            corrects=old.exec_id,
            price=price if price > tick else old.price,
            commission_micro=old.commission_micro + 10_000,
        )
        self._unbook(old)
        state.account.book(new)
        state.executions.append(new)
        return new

    def _unbook(self, old: Executed) -> None:
        """Take an execution back: the same the other way round, and its commission returned."""
        side = Side.SELL if old.side is Side.BUY else Side.BUY
        self._state.account.book(replace(old, side=side, commission_micro=-old.commission_micro))


def _update(message: object) -> BrokerUpdate:
    if not isinstance(message, BrokerUpdate):
        raise InvariantViolation(f"a venue answers with a BrokerUpdate, not {type(message).__name__}")
    return message
