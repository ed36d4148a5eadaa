"""Measure the audit trail: durable events a second, one append, verification, the decisions digest.

Floors: 2,000 durable events/s, append p99 <= 5 ms, verify 100,000/s. A bare write and fsync of as many bytes stands
beside the append, since a disk shared with other work can be slower than the floor by itself.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter_ns, time_ns

from benchmarks.report import Bound, Figure, report
from domain.outbox import AuditEvent, AuditKind, OutboxRecords
from storage.audit.digest import decisions_digest
from storage.audit.keys import Signer
from storage.audit.verify import verify_trail
from storage.audit.writer import TrailWriter
from storage.files import AppendFile

EVENTS = 50_000
BATCH = 256
SINGLE = 500
BYTES_A_LINE = 480
FLOORS = {"durable": 2_000.0, "verify": 100_000.0}
MOST_APPEND_MS = 5.0

BODY = {
    "symbol": "AAPL",
    "direction": 1,
    "confidence": 0.734,
    "strategy": "momentum",
    "votes": {"a": 1, "b": -1},
}


def batch(first: int, count: int) -> OutboxRecords:
    """Return `count` events of common size, numbered from `first`."""
    numbers = range(first, first + count)
    events = tuple(AuditEvent(AuditKind.VOTE, n, n // 8, f"main/{n % 8}", True, BODY) for n in numbers)
    return OutboxRecords(source="risk", first_seq=first, events=events)


def per_second(count: int, begun_ns: int) -> float:
    """Return the rate since `begun_ns`."""
    return count / (perf_counter_ns() - begun_ns) * 1e9


def append_times(writer: TrailWriter, folder: Path) -> tuple[list[int], list[int]]:
    """Return the durations in ns, sorted, of bare durable writes and of one-event appends, taken in turns."""
    bare = AppendFile(folder / "bare")
    plain, ours = [], []
    for n in range(SINGLE):
        one = batch(EVENTS + 1 + n, 1)
        begun = perf_counter_ns()
        bare.append(os.urandom(BYTES_A_LINE))
        between = perf_counter_ns()
        writer.append([one])
        ended = perf_counter_ns()
        plain.append(between - begun)
        ours.append(ended - between)
    bare.close()
    return sorted(plain), sorted(ours)


def main() -> int:
    """Print the table; return 0 when the floors hold, or the disk alone is slower than the append's."""
    signer = Signer(os.urandom(32))
    with tempfile.TemporaryDirectory() as name:
        trail = Path(name) / "audit"
        writer = TrailWriter(trail, signer, time_ns)
        batches = [batch(first, BATCH) for first in range(1, EVENTS - BATCH + 2, BATCH)]
        rest = EVENTS - BATCH * len(batches)
        begun = perf_counter_ns()
        for events in [*batches, *([batch(EVENTS - rest + 1, rest)] if rest else [])]:
            writer.append([events])
        durable = per_second(EVENTS, begun)
        plain, ours = append_times(writer, Path(name))
        writer.close()
        begun = perf_counter_ns()
        verification = verify_trail(trail, signer.verifier)
        verify = per_second(verification.records, begun)
        begun = perf_counter_ns()
        decisions_digest(trail)
        digest = per_second(verification.records, begun)
    if not verification.holds:
        print(f"the trail does not verify: {verification.finding}", file=sys.stderr)
        return 1
    most = SINGLE * 99 // 100
    append_ms, bare_ms = ours[most] / 1e6, plain[most] / 1e6
    how = f"{EVENTS:,} events"
    one = f"{SINGLE} appends of one event, in turns with bare writes of as many bytes"
    # A disk that is slower than the floor by itself says nothing of the append: then only the ratio is shown.
    append_floor = None if bare_ms > MOST_APPEND_MS / 2 else MOST_APPEND_MS
    return report(
        "audit",
        [
            Figure("durable events", durable, "events/s", f"{how}, {BATCH} a write", FLOORS["durable"]),
            Figure(
                "append, p50",
                ours[SINGLE // 2] / 1e6,
                "ms",
                one,
                beside=f"{ours[SINGLE // 2] / plain[SINGLE // 2]:.2f} x bare",
            ),
            Figure(
                "append, p99",
                append_ms,
                "ms",
                one,
                append_floor,
                Bound.AT_MOST,
                f"{append_ms / bare_ms:.2f} x bare",
            ),
            Figure("bare write and fsync, p99", bare_ms, "ms", one),
            Figure("verify", verify, "records/s", how, FLOORS["verify"]),
            Figure("decisions digest", digest, "records/s", how),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
