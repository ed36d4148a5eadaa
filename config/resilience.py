"""Model `retry.yaml`, `breakers.yaml` and `shutdown.yaml`: how faults are borne and how the engine stops."""

from __future__ import annotations

from typing import Literal

from config.fields import Section, flag, number, one_of, part
from domain.breakers import BreakerTerms


class Backoff(Section):
    """Say how one operation is tried again."""

    attempts: int = number("Tries in all, the first included", "tries", least=1, most=20)
    first_delay_s: float = number("Wait before the second try", "s", above=0, most=600)
    max_delay_s: float = number("Longest wait between two tries", "s", above=0, most=3_600)
    base: float = number("Growth of the wait from try to try", "times", least=1, most=10)
    jitter: float = number("Random share by which a wait is shortened", "fraction", least=0, most=1)
    deadline_s: float = number("Deadline of one try", "s", above=0, most=600)


class Retry(Section):
    """Be `retry.yaml` (requirement B7)."""

    default: Backoff = part("Whatever is not named below")
    broker_connection: Backoff = part("Connecting to the broker")
    order_placement: Backoff = part("Placing an order, only while nothing has reached the wire")
    market_data: Backoff = part("Asking for market data")
    position_updates: Backoff = part("Asking for positions")
    alerts: Backoff = part("Sending an alert to one channel")


class Breaker(Section):
    """Say when one circuit breaker opens and closes."""

    failures: int = number("Failures in a row that open it", "failures", least=1, most=100)
    timeout_s: float = number("Time open before a probe is let through", "s", above=0, most=86_400)
    successes: int = number("Successes in a row that close it again", "successes", least=1, most=100)

    def terms(self) -> BreakerTerms:
        """Return it as the machines take it."""
        return BreakerTerms(self.failures, self.timeout_s, self.successes)


class Breakers(Section):
    """Be `breakers.yaml` (requirement B6)."""

    strategy: Breaker = part("Each strategy")
    broker: Breaker = part("The broker")
    market_data: Breaker = part("Market data")
    risk_calculation: Breaker = part("The risk calculation")
    quarantine_after_probes: int = number(
        "Failed probes after which a strategy stays out until a person releases it",
        "probes",
        least=1,
        most=100,
    )


class Shutdown(Section):
    """Be `shutdown.yaml` (requirement C3)."""

    cancel_entries: Literal["auto", "always", "never"] = one_of("Cancel open entry orders at a stop")
    keep_protective_stops: bool = flag(
        "Leave the stops of open positions at the broker; only true while positions stay open"
    )
    close_positions: bool = flag("Close every position before stopping; only false in this version")
    deadline_s: float = number("Longest time a stop may take", "s", least=1, most=300)

    def cancels_entries(self, lockstep: bool) -> bool:
        """Say whether a stop cancels entries.

        In a lockstep replay time stands still with the engine: an order that waits for the next open is as good after
        the resume as before, and cancelling it would make a resumed run differ from an unbroken one.
        """
        return self.cancel_entries == "always" or (self.cancel_entries == "auto" and not lockstep)
