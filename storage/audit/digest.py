"""Digest what was decided, apart from when and by which process: two runs on the same data have the same digest.

The digest is the SHA-256 over the unique lines `[kind,at_ns,bar,key,body]` (canonical JSON, one a line) of all events
marked `decision`, sorted by (bar, kind, key, line).
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

from storage.audit.chain import parse_line, trail_files

_MARK = b',"decision":true,"body":'


class DecisionLine(NamedTuple):
    """Be what one decision adds to the digest, in its order."""

    bar: int
    kind: str
    key: str
    line: bytes


def decisions_digest(directory: Path) -> str:
    """Return the digest of the trail in `directory`; holds 24 bytes a decision in memory, and one bar's lines."""
    with ExitStack() as stack:
        maps = [stack.enter_context(_mapped(path)) for path in trail_files(directory) if path.stat().st_size]
        bars, places, lengths = array("q"), array("q"), array("q")
        base = 0
        for content in maps:
            for start, end, bar in _decisions(content):
                bars.append(bar)
                places.append(base + start)
                lengths.append(end - start)
            base += len(content)
        ends = np.cumsum([len(content) for content in maps], dtype=np.int64)
        order = np.argsort(np.frombuffer(bars, np.int64), kind="stable") if bars else np.empty(0, np.int64)
        return _digest(_sorted_lines(maps, ends, bars, places, lengths, order))


def _digest(decisions: Iterable[DecisionLine]) -> str:
    total = sha256()
    for decision in decisions:
        total.update(decision.line)
        total.update(b"\n")
    return total.hexdigest()


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _decisions(content: mmap.mmap) -> Iterator[tuple[int, int, int]]:
    """Yield start, end and bar of every whole line that is a decision."""
    start = 0
    while (end := content.find(b"\n", start) + 1) > 0:
        # Most lines of a live trail are no decisions; taking those apart would be the larger part of the work.
        raw = content[start:end]
        if _MARK in raw and (record := parse_line(raw)).decision:
            yield start, end, record.bar
        start = end


def _sorted_lines(
    maps: list[mmap.mmap],
    ends: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    bars: array[int],
    places: array[int],
    lengths: array[int],
    order: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
) -> Iterator[DecisionLine]:
    """Yield the unique decisions in the digest's order, one bar after another."""
    held: set[DecisionLine] = set()
    for index in order.tolist():
        place = places[index]
        which = int(np.searchsorted(ends, place, side="right"))
        start = place - (int(ends[which - 1]) if which else 0)
        record = parse_line(maps[which][start : start + lengths[index]])
        if held and record.bar != next(iter(held)).bar:
            yield from sorted(held)
            held.clear()
        head = f'["{record.kind}",{record.at_ns},{record.bar},'.encode("ascii")
        line = b"%b%b,%b]" % (head, record.raw_key, record.raw_body)
        held.add(DecisionLine(record.bar, record.kind, record.key, line))
    yield from sorted(held)
