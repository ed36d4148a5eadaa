"""Say what a machine asks its shell to do, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from domain.broker import BrokerCommand
    from domain.messages import Message
    from domain.records import Record


class Send(NamedTuple):
    """Post `message` to the role `to`; fire and forget. `control` uses the lane that overtakes."""

    to: str
    message: Message
    control: bool = False


class Persist(NamedTuple):
    """Make `records` durable, all or none, before any later output of this machine is carried out."""

    records: tuple[Record, ...]


class Wire(NamedTuple):
    """Give `command` to the broker port."""

    command: BrokerCommand


class SetTimer(NamedTuple):
    """Deliver `TimerFired(name)` after `delay_s` seconds of the control clock; the same name replaces."""

    name: str
    delay_s: float


class CancelTimer(NamedTuple):
    """Forget the timer `name`; nothing happens when there is none."""

    name: str


Output = Send | Persist | Wire | SetTimer | CancelTimer
