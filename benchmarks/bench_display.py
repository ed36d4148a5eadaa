"""Measure what the terminal display costs: processor time of a picture, at three sizes, four times a second.

Ceiling: 2 % of one core at every size, with every figure moving from one picture to the next.
"""

from __future__ import annotations

import io
import sys
from time import thread_time
from typing import Any

from rich.console import Console

from benchmarks.report import Bound, Figure, report
from cli.display.events import EventLog
from cli.display.foot import foot
from cli.display.gauges import Trace
from cli.display.keys import Dialogue
from cli.display.live import REFRESH_S, WHOLE_EVERY
from cli.display.painter import Painter
from cli.display.screen import Picture, screen
from cli.display.view import read
from cli.meter import Reading
from domain.messages import is_strategies
from domain.strategies.blocks import DAY_NS
from tests.sizes import prove_size
from tests.unit.cli.display.samples import SIZES, fill, holding, order, snapshot

PICTURES = prove_size(200, 2_000)
MOST_SHARE = 0.02


def cost_s(width: int, height: int) -> float:
    """Return the processor seconds that a picture takes, from the snapshot to what is written."""
    console = Console(
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        width=width,
        height=height,
        legacy_windows=False,
    )
    painter, trace, log = Painter(console), Trace(), EventLog(DAY_NS)
    spent = 0.0
    for number in range(PICTURES):
        told = moved(number)
        begun = thread_time()
        log.look(told, "2019-03-05")
        trace.add(told["views"]["risk"]["equity"])
        reading = Reading("running", number, PICTURES, 512.0 + number, 9.0, "2019-03-05", "")
        picture = Picture(read(told), reading, trace, log, 0.1)
        last = foot(Dialogue(), None, width, keys=True)
        painter.paint(screen(picture, last, width, height), whole=number % WHOLE_EVERY == 0)
        spent += thread_time() - begun
    return spent / PICTURES


def moved(number: int) -> dict[str, Any]:
    """Return a snapshot in which everything that may move has moved."""
    told = snapshot()
    views = told["views"]
    views["risk"]["equity"] += 13.7 * (number % 97)
    views["risk"]["drawdown"] = 0.001 * (number % 90)
    views["risk"]["holdings"] = [holding(f"S{n}", 100 + number, 7.0 * n - number) for n in range(10)]
    views["gateway"]["journal_head"] = 10 * number + 9
    views["gateway"]["newest_orders"] = [order(10 * number + n, f"S{n}") for n in range(4)]
    views["gateway"]["newest_fills"] = [fill(10 * number + n, f"S{n}") for n in range(4, 8)]
    for name, view in views.items():
        for own in view["strategies"].values() if is_strategies(name) else ():
            own["bars"] += number
            own["last_said"]["bar"] += number
    return told


def main() -> int:
    """Measure, show and keep the figures; return 1 when the ceiling is missed."""
    figures = []
    for width, height in SIZES:
        spent = cost_s(width, height)
        how = f"{PICTURES} pictures, {1 / REFRESH_S:.0f} a second"
        figures += [
            Figure(f"picture, {width} x {height}", spent * 1e3, "ms", how),
            Figure(
                f"share of a core, {width} x {height}",
                100 * spent / REFRESH_S,
                "%",
                how,
                100 * MOST_SHARE,
                Bound.AT_MOST,
            ),
        ]
    return report("display", figures)


if __name__ == "__main__":
    sys.exit(main())
