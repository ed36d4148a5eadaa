"""Kill writers with SIGKILL and look at what is left (reliability: nothing acknowledged is lost)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from domain.outbox import OutboxRecords
from storage.audit.keys import KEY_VARIABLE, load_signer
from storage.audit.verify import verify_trail
from storage.audit.writer import TrailWriter
from storage.engine import sqlite_url
from storage.journal import SqlJournal
from tests.fakes.clock import FakeWall
from tests.fakes.records import event

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = {KEY_VARIABLE: bytes(range(32)).hex()}
SCRIPT = """
import sys, time
from pathlib import Path
from domain.outbox import OutboxRecords
from storage.audit.keys import load_signer
from storage.audit.writer import TrailWriter
from storage.engine import sqlite_url
from storage.journal import SqlJournal
from tests.fakes.records import event, order
folder = Path(sys.argv[1])
journal = SqlJournal(sqlite_url(folder / "gateway.db"), "gateway")
trail = TrailWriter(folder / "audit", load_signer(), time.time_ns)
n = trail.cursors.get("gateway", 0)
start, events = journal.outbox(n, 10_000)
if events:
    trail.append([OutboxRecords(source="gateway", first_seq=start, events=tuple(events))])
n = trail.cursors.get("gateway", 0)
while True:
    n += 1
    assert journal.append([order(n, f"o{n}"), event(n)]) == (n, n)
    trail.append([OutboxRecords(source="gateway", first_seq=n, events=(event(n),))])
    journal.acknowledge(n)
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("lines_before_the_kill", [[1, 40, 7, 150]])
def test_what_was_acknowledged_before_a_kill_is_there_after_it(
    tmp_path: Path, lines_before_the_kill: list[int]
) -> None:
    signer = load_signer(ENVIRONMENT)
    for wanted in lines_before_the_kill:
        with subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path)],
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            said = [int(process.stdout.readline()) for _ in range(wanted)]
            process.send_signal(signal.SIGKILL)
            said += [int(line) for line in process.stdout.read().splitlines()]
        journal = SqlJournal(sqlite_url(tmp_path / "gateway.db"), "gateway")
        numbers = [entry.seq for entry in journal.entries(0, 100_000)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= said[-1]
        journal.close()
        found = verify_trail(tmp_path / "audit", signer.verifier)
        assert found.finding is None
        assert len(numbers) >= found.records >= said[-1]


def test_a_writer_restarted_after_a_kill_takes_the_sources_backlog(tmp_path: Path) -> None:
    signer = load_signer(ENVIRONMENT)
    journal = SqlJournal(sqlite_url(tmp_path / "risk.db"), "risk")
    journal.append([event(n) for n in range(1, 6)])
    trail = TrailWriter(tmp_path / "audit", signer, FakeWall().wall_ns)
    trail.append([OutboxRecords(source="risk", first_seq=1, events=(event(1), event(2)))])
    trail._release()
    trail = TrailWriter(tmp_path / "audit", signer, FakeWall().wall_ns)
    first, events = journal.outbox(trail.cursors["risk"], 100)
    trail.append([OutboxRecords(source="risk", first_seq=first, events=tuple(events))])
    assert trail.cursors == {"risk": 5}
    trail.close()
    journal.close()
