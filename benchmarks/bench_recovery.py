"""Measure how quickly an engine on Ray starts, answers, and comes back when one of its processes is killed.

Floors: warm start to the first settled bar 10 s; a killed actor at work again after 1 s (p50) and 2 s (p99); a status
200 ms. Each engine is a `breakwater run` of its own, seen through its control socket.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.report import Bound, Figure, report
from domain.commands import Verb
from domain.messages import AUDIT, COORDINATOR, FEED, GATEWAY, RISK, strategy_role
from simulation.importing.sample import sample_path
from supervisor.control_client import ControlClient
from tests.chaos.live.campaign import BARS_A_SECOND, FIRST_DAY, kills
from tests.chaos.live.running import RunningEngine
from tests.scenario.engine import command_line, environment
from tests.scenario.processes import Traces
from tests.sizes import prove_size

KILLS = prove_size(20, 200)
COORDINATOR_KILLS = prove_size(3, 20)
STARTS = prove_size(2, 5)
ASKED = prove_size(200, 1_000)
COMMANDS = 10
ACTORS = (AUDIT, GATEWAY, RISK, FEED, strategy_role("momentum_fast"), strategy_role("vwap_slow"))
SEED = 11
MOST_START_S, MOST_BACK_P50_S, MOST_BACK_P99_S, MOST_STATUS_MS = 10.0, 1.0, 2.0, 200.0


def part(values: Sequence[float], share: float) -> float:
    """Return the value of `values` below which that share of them lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def starts(folder: Path) -> tuple[list[float], list[float], list[float]]:
    """Return seconds of warm starts to the first bar, and ms of answers and of whole commands, of one session."""
    traces = Traces(folder)
    arguments: list[str | Path] = [
        *("--data", sample_path(), "--from", FIRST_DAY, "--symbols", "AAPL,IBM,MSFT"),
        *("--speed", str(BARS_A_SECOND)),
    ]
    engine = RunningEngine(folder / "starts", arguments, traces.environment)
    begun_s, answers_ms, commands_ms = [], [], []
    try:
        for number in range(STARTS + 1):
            before = time.monotonic()
            engine.start()
            settled = _next(engine.status())
            engine.wait_for(lambda status, settled=settled: _next(status) > settled)
            if number:  # the first one is not warm
                begun_s.append(time.monotonic() - before)
            else:
                answers_ms, commands_ms = _answers(engine.state), _commands(engine.state)
            engine.stop()
    finally:
        engine.abandon()
        traces.kill()
    return begun_s, answers_ms, commands_ms


def _next(status: Any) -> int:
    return int((status or {}).get("views", {}).get(FEED, {}).get("next", 0))


def _answers(state: Path) -> list[float]:
    client, spent = ControlClient(state), []
    for _ in range(ASKED):
        begun = time.perf_counter()
        client.ask(Verb.STATUS)
        spent.append((time.perf_counter() - begun) * 1e3)
    return spent


def _commands(state: Path) -> list[float]:
    spent = []
    for _ in range(COMMANDS):
        begun = time.perf_counter()
        subprocess.run(
            command_line("status", "--state", state), env=environment(), check=True, stdout=subprocess.DEVNULL
        )
        spent.append((time.perf_counter() - begun) * 1e3)
    return spent


def figures(folder: Path) -> Iterator[Figure]:
    """Measure one thing after another and yield its figures."""
    begun_s, answers_ms, commands_ms = starts(folder)
    how = f"`breakwater run` of a stopped session, {STARTS} starts"
    yield Figure("warm start to first bar, middle", median(begun_s), "s", how)
    yield Figure("warm start to first bar, longest", max(begun_s), "s", how, MOST_START_S, Bound.AT_MOST)
    how = f"{ASKED} answers of the control socket while bars settle"
    yield Figure("status, answer, p50", part(answers_ms, 0.5), "ms", how)
    yield Figure("status, answer, p99", part(answers_ms, 0.99), "ms", how, MOST_STATUS_MS, Bound.AT_MOST)
    how = f"{COMMANDS} times, Python's own start included"
    command = ("`breakwater status`, middle", median(commands_ms), "ms", how, MOST_STATUS_MS, Bound.AT_MOST)
    yield Figure(*command)
    for words, roles, count in (("actor", ACTORS, KILLS), ("coordinator", (COORDINATOR,), COORDINATOR_KILLS)):
        under = folder / words
        under.mkdir()
        back = [each.recovery_s for each in kills(roles, count, SEED, under)]
        how = f"{count} times SIGKILL at a random moment of order flow"
        floors = (MOST_BACK_P50_S, MOST_BACK_P99_S) if words == "actor" else (None, None)
        yield Figure(f"{words} killed to at work, p50", part(back, 0.5), "s", how, floors[0], Bound.AT_MOST)
        yield Figure(f"{words} killed to at work, p99", part(back, 0.99), "s", how, floors[1], Bound.AT_MOST)


def main() -> int:
    """Measure, show and keep the figures; return 1 when a floor is missed."""
    with TemporaryDirectory(prefix="breakwater-bench-") as name:
        return report("recovery", list(figures(Path(name))))


if __name__ == "__main__":
    sys.exit(main())
