"""Keep orders that may increase exposure from the wire while the halt latch's file stands.

The gateway's machine has judged by its own copy of the latch before. The file is looked at after it, at the last
moment, and says what whoever could still write to the disk wanted: it holds where no message came through. A file that
no coordinator wrote is told to the machine, so that the halt ladder, and people, learn of it.
"""

from __future__ import annotations

from domain.broker import BrokerCommand, BrokerUpdate, OrderReported, OrderStatus, PlaceOrder, RefusalCode
from domain.errors import BrokerUnavailable, MailboxFull
from domain.halt_messages import LatchFound
from domain.ports import BrokerPort, LatchPort, Mailbox
from domain.records import Rung


class LatchedBroker:
    """Pass everything on to a broker, but for such orders (port: `domain.ports.BrokerPort`).

    An order that is held back is answered as a venue would refuse it, with `RefusalCode.HALTED`, at no time: so it is
    known that it never left. Cancels, downloads and orders that only reduce always pass.
    """

    def __init__(self, broker: BrokerPort, latch: LatchPort) -> None:
        """Guard `broker` by `latch`."""
        self._broker, self._latch = broker, latch
        self._mailbox: Mailbox | None = None

    def open(self, mailbox: Mailbox) -> None:
        """Connect; raises BrokerUnavailable."""
        self._mailbox = mailbox
        self._broker.open(mailbox)

    def send(self, command: BrokerCommand) -> None:
        """Put `command` on the wire or answer it; raises BrokerUnavailable when nothing reached it."""
        if isinstance(command, PlaceOrder) and not command.reduces:
            rung = self._latch.read()
            if rung > Rung.ACTIVE:
                self._refuse(command, rung)
                return
        self._broker.send(command)

    def close(self) -> None:
        """Disconnect; harmless when closed."""
        self._broker.close()

    def _refuse(self, order: PlaceOrder, rung: Rung) -> None:
        if self._mailbox is None:
            raise BrokerUnavailable("not connected to the venue: open the connection first")
        version, words = self._latch.word()
        try:
            # Of one that a coordinator wrote the news is on its way, or was lowered meanwhile.
            if version == 0:
                self._mailbox.put(LatchFound(rung=rung, detail=words), control=True)
            self._mailbox.put(BrokerUpdate(at_ns=0, advanced=-1, events=(_held_back(order, rung),)))
        except MailboxFull as error:  # unanswered, the order is looked into like any that was lost
            raise BrokerUnavailable(
                f"{order.order_ref} was held back, and cannot be told: {error}"
            ) from error


def _held_back(order: PlaceOrder, rung: Rung) -> OrderReported:
    return OrderReported(
        at_ns=0,
        order_ref=order.order_ref,
        parent_ref="",
        symbol=order.symbol,
        side=order.side,
        order_type=order.order_type,
        status=OrderStatus.REFUSED,
        lots=order.lots,
        filled_lots=0,
        stop_price=order.stop_price,
        code=RefusalCode.HALTED,
        text=f"the halt file says {rung.name}: only orders that shrink a position may pass",
    )
