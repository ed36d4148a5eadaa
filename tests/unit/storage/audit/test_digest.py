from __future__ import annotations

import json
import random
from hashlib import sha256
from pathlib import Path

import pytest

from domain.outbox import AuditEvent, AuditKind, OutboxRecords
from storage.audit.digest import decisions_digest
from storage.audit.keys import Signer
from storage.audit.writer import TrailWriter
from tests.fakes.clock import FakeWall

SIGNER = Signer(bytes(range(32)))
DAY = 86_400 * 1_000_000_000


def made(seed: int, count: int = 400) -> list[AuditEvent]:
    draw = random.Random(seed)
    kinds = [AuditKind.SIGNALS, AuditKind.VOTE, AuditKind.ORDER]
    return [
        AuditEvent(
            draw.choice(kinds),
            draw.randrange(10),
            draw.randrange(-1, 20),
            draw.choice(["a", 'quoted "key"', "é", ',"decision":true,"body":']),
            draw.random() < 0.7,
            {
                "text": draw.choice(['"decision":true', "x"]),
                "value": draw.choice([1.1, -0.0, 1e300, 7, None]),
            },
        )
        for _ in range(count)
    ]


def naive(events: list[AuditEvent]) -> str:
    """Digest as the definition says, the slow way."""
    rows = set()
    for event in events:
        if event.decision:
            fields = [event.kind.value, event.at_ns, event.bar, event.key, dict(event.body)]
            line = json.dumps(fields, sort_keys=True, separators=(",", ":"))
            rows.add((event.bar, event.kind.value, event.key, line))
    return sha256("".join(row[3] + "\n" for row in sorted(rows)).encode()).hexdigest()


def write(directory: Path, events: list[AuditEvent], source: str = "risk") -> None:
    wall = FakeWall()
    writer = TrailWriter(directory, SIGNER, wall.wall_ns)
    for start in range(0, len(events), 150):
        part = tuple(events[start : start + 150])
        writer.append([OutboxRecords(source=source, first_seq=start + 1, events=part)])
        wall.now_ns += DAY
    writer.close()


@pytest.mark.parametrize("seed", range(5))
def test_the_trails_digest_is_the_definitions(tmp_path: Path, seed: int) -> None:
    events = made(seed)
    write(tmp_path, events)
    assert decisions_digest(tmp_path) == naive(events)


def test_order_source_and_repetition_do_not_matter_and_content_does(tmp_path: Path) -> None:
    events = made(1)
    write(tmp_path / "a", events)
    write(tmp_path / "b", [*reversed(events), *events[:50]], source="gateway")
    changed = [events[0]._replace(decision=True, body={"changed": 1}), *events[1:]]
    write(tmp_path / "c", changed)
    assert decisions_digest(tmp_path / "a") == decisions_digest(tmp_path / "b")
    assert decisions_digest(tmp_path / "a") != decisions_digest(tmp_path / "c")


def test_no_decisions_digest_to_the_hash_of_nothing(tmp_path: Path) -> None:
    assert decisions_digest(tmp_path / "absent") == sha256(b"").hexdigest()
