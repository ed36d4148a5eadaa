"""Measure the order path on Ray: a bar leaves the feed until its order's bytes are at the venue's socket.

Six strategies speak at each bar. Floors, against a bare Ray skeleton of the same shape (fan-out, join, durable inserts,
socket writes), in turns: p50 at most 1.5 times, p99 at most 2 times, at bars that make an order and fill none. Bars and
rounds come `PACE_S` apart, as bars do, so that none waits for what the one before left to do. Told beside, without a
floor: the same with each bar on the heels of the last, as in a replay at full speed, which measures how much work there
is and not how long an order takes; and what it takes where the order before is filled first, whose fill the gateway
keeps before anything is decided.
With 500 symbols in each message: transport, a bar's way to the last strategy, at most 1.3 times that of one symbol,
where each strategy looks at one of them, for what it takes to look at 500 is no transport; the whole path, where each
looks at all, 3 times.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from benchmarks.engine_runs import planned
from benchmarks.ordering import TRADED
from benchmarks.probes import (
    DECIDED,
    HEARD,
    JOINED,
    KNOWN,
    MOVED,
    PUBLISHED,
    SAID,
    TAKEN,
    WRITTEN,
    Notes,
    probes,
    read_notes,
)
from benchmarks.report import Bound, Figure, report
from benchmarks.skeleton import round_times
from cli.drive import drive
from cli.ray_engine import RayEngine
from cli.registry import read_settings
from config.settings import Settings
from simulation.synthetic import MarketSpec, synthesise
from tests.sizes import prove_size

BARS = prove_size(600, 2_000)
TURNS = prove_size(3, 5)
PACE_S = 0.03
"""Twice what the path takes: everybody is at rest when a bar comes."""
WARM = 50
"""Bars at the beginning that do not count: nobody's code is warm yet."""
STRATEGIES = tuple(f"ordering_{number}" for number in range(6))
MANY_SYMBOLS = 500
MOST_P50, MOST_P99, MOST_TRANSPORT, MOST_WHOLE = 1.5, 2.0, 1.3, 3.0
STAGES = (
    ("feed to last strategy", (PUBLISHED,), HEARD),
    ("last strategy speaks", (HEARD,), SAID),
    ("strategies to risk manager", (SAID,), JOINED),
    ("beside it, feed to venue to gateway", (PUBLISHED,), MOVED),
    ("beside it, gateway keeps the fills and tells", (MOVED,), KNOWN),
    ("risk manager decides, once it has both", (JOINED, KNOWN), DECIDED),
    ("risk manager keeps it and tells the gateway", (DECIDED,), TAKEN),
    ("gateway keeps the order and writes", (TAKEN,), WRITTEN),
)
"""Where the time goes: from the later of what it begins with to what it ends with."""


def settings_of(folder: Path, *, rests: bool, looks_at: Sequence[str] | None = None) -> Settings:
    """Return the shipped configuration with six strategies that make an order at each bar, or at each second.

    They look at the symbols `looks_at`, None for all.
    """
    file = str(Path(__file__).with_name("ordering.py"))
    strategies: list[dict[str, Any]] = [
        {"id": name, "strategy": "ordering", "file": file, "parameters": {"rests": float(rests)}}
        | ({} if looks_at is None else {"symbols": list(looks_at)})
        for name in STRATEGIES
    ]
    book = {
        "id": "main",
        "share": 1.0,
        "rule": "vote",
        "min_votes": 2,
        "allow_short": False,
        "strategies": list(STRATEGIES),
    }
    documents = {"strategies.yaml": {"strategies": strategies}, "books.yaml": {"books": [book]}}
    for name, document in documents.items():
        (folder / name).write_text(yaml.safe_dump(document), encoding="utf-8")
    return read_settings(folder, dict(os.environ))


def engine_notes(
    symbols: int, *, rests: bool = True, looks_at: Sequence[str] | None = None, pace_s: float = 0.0
) -> Notes:
    """Trade `BARS` bars of as many symbols on Ray and return what was noted."""
    names = (TRADED, *(f"Z{number:03}" for number in range(1, symbols)))
    table = synthesise(MarketSpec(seed=7, symbols=names, first=date(2000, 1, 3), sessions=BARS + WARM))
    with TemporaryDirectory(prefix="breakwater-bench-") as name:
        folder = Path(name)
        settings = settings_of(folder, rests=rests, looks_at=looks_at)
        with planned(settings, table, 0, pace_s=pace_s) as plan, probes(folder):
            engine = RayEngine(plan)
            try:
                drive(engine, stop_requested=lambda: "", show=lambda states: None, stall_s=60.0, stop_s=30.0)
            finally:
                engine.close()
        return read_notes(folder)


def between(notes: Notes, begins: Sequence[str], end: str) -> list[int]:
    """Return, for each warm bar with an order, the nanoseconds from the latest of `begins` to `end`, sorted.

    Of several strategies the last counts, of a bar that left the feed several times the first, of its orders the first.
    """
    spent = []
    for bar in notes[WRITTEN]:
        at = [_moment(notes, name, bar) for name in (*begins, end)]
        if bar >= WARM and all(at):
            spent.append(at[-1] - max(at[:-1]))
    return sorted(spent)


def _moment(notes: Notes, name: str, bar: int) -> int:
    """Return when it was, 0 where it was not."""
    times = notes[name].get(bar)
    if not times:
        return 0
    return times[0] if name in (PUBLISHED, WRITTEN) else times[-1]


def part(values: Sequence[int], share: float) -> float:
    """Return the value of sorted `values` below which that share of them lies, in ms."""
    return values[min(len(values) - 1, int(share * len(values)))] / 1e6


def main() -> int:
    """Measure, show and keep the figures; return 1 when a floor is missed."""
    paced, paced_bares, ones, bares, unseen, many = [], [], [], [], [], []
    for _ in range(TURNS):  # the machine's speed drifts: what is compared is measured together
        paced_bares.append(skeleton_times(PACE_S))
        paced.append(engine_notes(1, pace_s=PACE_S))
        bares.append(skeleton_times(0.0))
        ones.append(engine_notes(1))
        unseen.append(engine_notes(MANY_SYMBOLS, looks_at=[TRADED]))
        many.append(engine_notes(MANY_SYMBOLS))
    figures = [
        *against_bare(paced, paced_bares),
        *on_the_heels(ones, bares),
        *with_fills(engine_notes(1, rests=False, pace_s=PACE_S)),
        *against_one(ones, unseen, many),
    ]
    return report("order_path", figures)


def skeleton_times(pace_s: float) -> Sequence[int]:
    """Return the nanoseconds of the skeleton's warm rounds, sorted."""
    return sorted(round_times(BARS + WARM, pace_s)[WARM:])


def against_bare(ones: Sequence[Notes], bares: Sequence[Sequence[int]]) -> Iterable[Figure]:
    """Yield the path's figures beside the skeleton's: of several turns the middle ratio."""
    paths = [between(notes, (PUBLISHED,), WRITTEN) for notes in ones]
    how = f"{len(paths[0]):,} bars with an order, six strategies, {1 / PACE_S:.0f} bars/s, {TURNS} turns"
    for name, share, most in (("p50", 0.50, MOST_P50), ("p99", 0.99, MOST_P99)):
        bare = median(part(each, share) for each in bares)
        yield Figure(f"bare skeleton, {name}", bare, "ms", "the same number of rounds")
        path = median(part(each, share) for each in paths)
        yield Figure(f"bar to order on the wire, {name}", path, "ms", how)
        ratio = middle_ratio(paths, bares, share)
        yield Figure(f"order path to skeleton, {name}", ratio, "", how, most, Bound.AT_MOST)
    for words, begins, end in STAGES:
        yield Figure(f"of it: {words}, p50", part(between(ones[-1], begins, end), 0.5), "ms", "the last turn")


def middle_ratio(paths: Sequence[Sequence[int]], bares: Sequence[Sequence[int]], share: float) -> float:
    """Return the middle of the turns' ratios of path to skeleton."""
    return median(part(path, share) / part(bare, share) for path, bare in zip(paths, bares, strict=True))


def on_the_heels(ones: Sequence[Notes], bares: Sequence[Sequence[int]]) -> Iterable[Figure]:
    """Yield the ratios where each bar and each round follows at once."""
    paths = [between(notes, (PUBLISHED,), WRITTEN) for notes in ones]
    for name, share in (("p50", 0.50), ("p99", 0.99)):
        ratio = middle_ratio(paths, bares, share)
        yield Figure(f"bar on the heels of bar: to skeleton, {name}", ratio, "", f"{TURNS} turns")


def with_fills(notes: Notes) -> Iterable[Figure]:
    """Yield the path's figures at bars that first fill the order of the bar before."""
    path = between(notes, (PUBLISHED,), WRITTEN)
    for name, share in (("p50", 0.50), ("p99", 0.99)):
        how = f"{len(path):,} bars with an order, each after the fill of the last"
        yield Figure(f"with a fill to keep first, {name}", part(path, share), "ms", how)


def against_one(ones: Sequence[Notes], unseen: Sequence[Notes], many: Sequence[Notes]) -> Iterable[Figure]:
    """Yield what 500 symbols in each message cost, beside one: of several turns the middle.

    `unseen` is where the strategies look at one of them.
    """
    how = f"{MANY_SYMBOLS} symbols in each message, p50 to p50, {TURNS} turns"
    for words, end, most, wide_notes in (
        ("transport", HEARD, MOST_TRANSPORT, unseen),
        ("whole path", WRITTEN, MOST_WHOLE, many),
    ):
        singles, wides = (
            [part(between(each, (PUBLISHED,), end), 0.5) for each in notes] for notes in (ones, wide_notes)
        )
        beside = f"one: {median(singles):.2f} ms"
        ratio = median(wide / single for wide, single in zip(wides, singles, strict=True))
        yield Figure(f"{words}, {MANY_SYMBOLS} symbols, p50", median(wides), "ms", how, beside=beside)
        yield Figure(f"{words}, {MANY_SYMBOLS} symbols to one", ratio, "", how, most, Bound.AT_MOST)
    for words, begins, end in STAGES:
        spent = part(between(many[-1], begins, end), 0.5)
        yield Figure(f"{MANY_SYMBOLS} symbols: {words}, p50", spent, "ms", how)


if __name__ == "__main__":
    sys.exit(main())
