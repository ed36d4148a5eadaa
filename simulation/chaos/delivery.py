"""Say, message by message, what may happen to it on its way, and why the engine must bear it.

Between one sender and one receiver messages keep their order within a lane, as Ray keeps it for the calls of one
process to an actor; messages of different senders overtake one another at will, and control overtakes what waits. A
message that is late so holds up those behind it.

Lost: Ray drops what was sent to a dead process without a word, and a full mailbox refuses. What is lost must be made
good by a deadline, a cursor, an asking again, or simply expire; the last column says which.
"""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """Be one row of the table: which faults a message may meet, how often it is drawn, what makes a loss good."""

    message: str
    lost: bool
    late: bool
    doubled: bool
    weight: int
    remedy: str


RULES: tuple[Rule, ...] = (
    Rule("SignalBatch", True, True, True, 4, "the signal deadline counts it as a failure: it costs a trade"),
    Rule("BarsPublished", False, True, True, 4, "lockstep waits; lost, the bar is published again"),
    Rule("OrdersApproved", False, True, True, 4, "lockstep waits; lost, the bar is published again"),
    Rule("JournalUpdate", False, True, True, 4, "a gap is seen by its sequence and asked for"),
    Rule("BarSettled", False, True, True, 2, "lockstep waits; lost, the bar is published again"),
    Rule("RequestJournal", True, True, True, 1, "asked for again after a deadline, three times"),
    Rule("RaiseHalt", True, True, True, 3, "who raised it holds it, and tells again at the next review"),
    Rule(
        "LatchChanged", True, True, True, 3, "a raise rides in every OrdersApproved, a lowering is told again"
    ),
    Rule("LatchHeld", True, True, True, 2, "the coordinator tells the latch again after a deadline"),
    Rule("ReviewHalt", True, True, True, 2, "asked for again after a deadline, six times"),
    Rule("HaltReviewed", True, True, True, 2, "asked for again after a deadline, six times"),
    Rule(
        "PositionsClosed", False, True, True, 1, "told once; a lost one leaves the ladder higher, never lower"
    ),
    Rule("OutboxRecords", True, True, True, 3, "the trail sees the gap, and asks every source once a second"),
    Rule("RequestOutbox", True, True, True, 2, "asked for again once a second"),
    Rule("OutboxAcknowledged", True, True, True, 1, "said again with the next batch"),
    Rule("RequestHistory", False, True, True, 1, "of a start: nobody is ready before"),
    Rule("BarHistory", False, True, True, 1, "of a start: nobody is ready before"),
    Rule("Ready", False, True, True, 1, "of a start: the stage waits"),
    Rule("Begin", False, True, False, 1, "of a start: the stage waits"),
    Rule("StartFeed", False, True, True, 1, "of a start: the feed waits"),
    Rule("Drain", False, True, True, 1, "of a stop: the order of stopping waits"),
    Rule("Drained", False, True, True, 1, "of a stop: the order of stopping waits"),
    Rule("DataEnded", False, True, True, 1, "of a stop: the engine idles"),
    Rule("BrokerUpdate", False, True, True, 4, "the acknowledgement deadline, then a reconciliation"),
)
"""Messages that are not here (`RoleFailed`, timers) are not touched: they never leave their process's runtime."""
