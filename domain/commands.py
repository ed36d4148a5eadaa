"""Name what people ask of a running engine, and how roles answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verb(StrEnum):
    """Name the commands that the control socket takes."""

    STATUS = "status"
    HALT = "halt"
    REDUCE = "reduce"
    FLATTEN = "flatten"
    RESUME = "resume"
    STOP = "stop"
    AGENT_START = "agent_start"
    AGENT_STOP = "agent_stop"
    AGENT_RESTART = "agent_restart"
    AGENT_RELEASE = "agent_release"
    ORDER_CANCEL = "order_cancel"
    ORDER_RESOLVE = "order_resolve"
    POSITION_CLOSE = "position_close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Bring the coordinator a person's command.

    `request_id` is the control socket's own and names the answer. `key` makes it idempotent: a key heard before is
    answered as before and changes nothing. `who` and `reason` go into the audit trail; `mode` is the mode in which the
    person believes the engine to be. `at_ns` is wall time, UTC. `arguments` are JSON-able.
    """

    request_id: int
    key: str
    verb: Verb
    arguments: Mapping[str, Any]
    who: str
    reason: str
    mode: str
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrders:
    """Ask the gateway to cancel open orders by their refs; protective stops of open positions are refused."""

    key: str
    order_refs: tuple[str, ...]
    who: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveOrder:
    """Tell the gateway what a person found out about an UNKNOWN order: that it never arrived.

    Orders that did arrive need no word: the venue's own record resolves them. Should it turn up all the same, it is
    adopted and halts (requirement: `NEVER_ARRIVED`).
    """

    key: str
    order_ref: str
    who: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePosition:
    """Ask the risk manager to leave a position of a book, "" for every book that holds the symbol."""

    key: str
    book: str
    symbol: str
    who: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandDone:
    """Tell the coordinator what a role did with the command `key`; `detail` in words, `facts` JSON-able."""

    role: str
    key: str
    done: bool
    detail: str
    facts: Mapping[str, Any]
