"""Say, message by message, what may happen to it on its way, and why the engine must bear it.

Between one sender and one receiver messages keep their order within a lane, as Ray keeps it for the calls of one
process to an actor; messages of different senders overtake one another at will, and control overtakes what waits. A
message that is late so holds up those behind it, but not what the role's next process sends: that is another sender.

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
    Rule("BarsPublished", True, True, True, 4, "the bar does not settle and is published again"),
    Rule("OrdersApproved", True, True, True, 4, "the bar does not settle and is published again"),
    Rule("JournalUpdate", True, True, True, 4, "a gap, or a head in a lease's answer, is asked for"),
    Rule("BarSettled", True, True, True, 3, "the bar does not settle and is published again"),
    Rule(
        "BrokerUpdate", False, True, True, 4, "a wire loses nothing but with its connection: a reconciliation"
    ),
    Rule("RequestJournal", True, True, True, 1, "asked for again after a deadline"),
    Rule("RaiseHalt", True, True, True, 3, "who raised it holds it, and tells it again with every pulse"),
    Rule("LatchChanged", True, True, True, 3, "the latch rides in every lease, a lowering is told again"),
    Rule("LatchHeld", True, True, True, 2, "the coordinator tells the latch again after a deadline"),
    Rule("ReviewHalt", True, True, True, 2, "asked for again after a deadline"),
    Rule("HaltReviewed", True, True, True, 2, "asked for again after a deadline"),
    Rule("PositionsClosed", True, True, True, 1, "one lost leaves the ladder higher, never lower"),
    Rule("OutboxRecords", True, True, True, 3, "the trail sees the gap, and asks every source once a second"),
    Rule("RequestOutbox", True, True, True, 2, "asked for again once a second"),
    Rule("OutboxAcknowledged", True, True, True, 1, "said again with the next batch"),
    Rule("Pulse", True, True, True, 3, "the next one says the same, a second later"),
    Rule("LeaseGranted", True, True, True, 3, "the next pulse is answered; five are as good as one"),
    Rule("PublishAgain", True, True, True, 2, "the feed publishes again by itself after a deadline"),
    Rule("StrategiesAbsent", True, True, True, 2, "the signal deadline, then the next list"),
    Rule("RequestBarCursor", True, True, True, 1, "asked for again after a deadline"),
    Rule("BarCursor", True, True, True, 1, "asked for again after a deadline"),
    Rule("RequestHistory", True, True, True, 1, "the coordinator begins again who is not ready"),
    Rule("BarHistory", True, True, True, 1, "the coordinator begins again who is not ready"),
    Rule("Ready", True, True, True, 2, "a pulse says so too"),
    Rule("Begin", True, True, True, 2, "the coordinator begins again who is not ready"),
    Rule("StartFeed", True, True, True, 2, "the feed's pulse shows no bar: it is told again"),
    Rule("Drain", True, True, True, 2, "told again to who does not come to rest"),
    Rule("Drained", True, True, True, 2, "a pulse says so too"),
    Rule("DataEnded", True, True, True, 2, "a pulse says so too"),
)
