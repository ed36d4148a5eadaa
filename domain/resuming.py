"""Find the bar that a resumed session publishes first, from what its roles made durable."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from domain.orders import OPEN_STATES
from domain.records import MachineSnapshot, OrderEntry, OrderState


def bar_to_resume(
    *,
    settled: int,
    first: int,
    decided: MachineSnapshot | None,
    at_gateway: Callable[[], tuple[Sequence[OrderEntry], MachineSnapshot | None]],
) -> int:
    """Return the first bar group to publish: the one after the last that settled.

    `settled` is what a session that ended in order says of itself, `first` where it began. After a crash the risk
    manager's last snapshot, `decided`, tells the last bar decided; if that decision never reached the gateway, whose
    orders and latch `at_gateway` returns, the bar is published again: its order refs are the same.
    """
    if decided is None:
        return first
    if decided.bar <= settled:
        return settled + 1
    orders, latch = at_gateway()
    return decided.bar if _never_arrived(decided, orders, latch) else decided.bar + 1


def _never_arrived(
    decided: MachineSnapshot, orders: Sequence[OrderEntry], latch: MachineSnapshot | None
) -> bool:
    """Return whether the gateway lacks an order, a cancel or the rung of the risk manager's last decision.

    Whether that rung was lowered since is not asked: to publish a bar once more for nothing does no harm.
    """
    values, states = decided.values, {order.order_ref: order.state for order in orders}
    held = 0 if latch is None else int(latch.values["rung"])
    untouched = OPEN_STATES - {OrderState.CANCEL_SENT}
    return (
        any(ref not in states for ref in values["approved"])
        or any(states.get(ref) in untouched for ref in values["cancels"])
        or int(values["rung"]) > held
    )
