"""Model `engine.yaml`: the account, the runtime, the databases, the audit trail."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from config.database_url import ALLOWED, is_allowed
from config.fields import CURRENCY, DATABASE_URL, NAME, PATH, Section, number, part, text

SIMULATED_ACCOUNT = "SIMULATED"
"""The account id of the shipped file; LIVE demands another."""


class Account(Section):
    """Name the account and, for a simulated one, what it starts with."""

    id: str = text("Account at the broker; LIVE trades this one and no other", pattern=NAME)
    currency: str = text("Currency in which equity, limits and reports are kept", pattern=CURRENCY)
    initial_cash: float = number(
        "Cash of a simulated account at its start", "account currency", least=1_000, most=1_000_000_000
    )
    leverage: float = number(
        "Buying power as a multiple of equity; 1 is a cash account", "times equity", least=1, most=20
    )


class Ray(Section):
    """Size the local Ray instance."""

    object_store_bytes: int = number(
        "Shared memory that Ray reserves for its object store", "bytes", least=80_000_000, most=1 << 40
    )
    num_cpus: int = number(
        "Slots that Ray hands to actors; not a limit on processors used", "slots", least=1, most=1024
    )


class Runtime(Section):
    """Set deadlines and bounds of the actors."""

    ack_deadline_s: float = number(
        "Wait for the broker's acknowledgement before an order counts as UNKNOWN", "s", least=1, most=300
    )
    absence_interval_s: float = number(
        "Least time between the two complete downloads that must both lack an order before it counts as never arrived",
        "s",
        least=0.1,
        most=600,
    )
    broker_lost_s: float = number(
        "Time without a connection to the broker after which trading halts", "s", least=1, most=3_600
    )
    signal_deadline_s: float = number(
        "Wait for a strategy's signals of one bar before that evaluation counts as failed",
        "s",
        least=0.1,
        most=600,
    )
    mailbox_bound: int = number(
        "Messages that wait at one actor before a full mailbox is reported as a fault", "messages",
        least=100, most=1_000_000,
    )  # fmt: skip
    lockstep_stall_s: float = number(
        "Wait for a bar to settle in lockstep replay before the run stops as stalled",
        "s",
        least=5,
        most=3_600,
    )
    ray: Ray = part("The local Ray instance")

    @property
    def answer_deadline_s(self) -> float:
        """Return the wait for a role's answer: short enough to ask again, and give up, before a run stalls."""
        return self.lockstep_stall_s / 10.0


class Supervision(Section):
    """Say how roles are watched, restarted and given leave to act."""

    restarts: int = number(
        "Restarts of one role that are borne within the window; one more quarantines a strategy and halts for others",
        "restarts", least=0, most=100,
    )  # fmt: skip
    restart_window_s: float = number("The window in which restarts are counted", "s", least=1, most=86_400)
    pulse_interval_s: float = number(
        "From one pulse of a role, which asks for a lease, to the next", "s", least=0.1, most=60
    )
    lease_s: float = number(
        "How long a lease is valid, from when it was asked for; without one nothing increases exposure",
        "s",
        least=0.5,
        most=300,
    )
    strategies_per_actor: int = number(
        "Strategies that share a process and its end", "strategies", least=1, most=1_000
    )
    strategy_memory_mib: int = number(
        "Memory for each strategy of a process, above whose sum it is ended and started anew",
        "MiB",
        least=128,
        most=1_048_576,
    )


def _located(template: str) -> str:
    """Return a template that is allowed; raise ValueError for any other."""
    if not is_allowed(template):
        raise ValueError(ALLOWED)
    return template


class Storage(Section):
    """Say where the databases lie."""

    url: Annotated[str, AfterValidator(_located)] = text(
        "Where each role keeps its records: a URL with {role}, and {state} or {session}", pattern=DATABASE_URL
    )


class Audit(Section):
    """Say how often the audit trail reaches the disk and is sealed."""

    fsync_interval_ms: int = number(
        "Longest time a record waits before it is forced to disk", "ms", least=1, most=1_000
    )
    fsync_records: int = number("Most records that wait together", "records", least=1, most=100)
    checkpoint_records: int = number(
        "Most records from one signed checkpoint to the next", "records", least=1, most=1_000_000
    )
    retention_years: int = number("Years that the trail is kept", "years", least=1, most=100)
    checkpoint_copy: (
        Annotated[str, text("File for a second copy of the checkpoints", pattern=PATH)] | None
    ) = None


class Engine(Section):
    """Be `engine.yaml`."""

    account: Account = part("The account")
    runtime: Runtime = part("Deadlines and bounds of the actors")
    supervision: Supervision = part("Watching, restarts and leases")
    storage: Storage = part("The databases")
    audit: Audit = part("The audit trail")
