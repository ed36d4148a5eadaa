"""Kill one kind of process again and again, at random moments of live order flow."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from simulation.importing.sample import sample_path
from tests.chaos.live.oracle import assert_nothing_lost_or_doubled
from tests.chaos.live.running import Ended, RunningEngine
from tests.scenario.processes import Traces
from tests.scenario.settings import write_config

BARS_A_SECOND = 25
"""With the sample's daily bars an order leaves nearly every bar, so that most kills meet one on its way."""
LONGEST_PAUSE_S = 0.6

FIRST_DAY = "2001-01-02"
"""Earlier bars warm up, so that orders flow from the first bar on."""

FREQUENT = {"supervision.restarts": 100, "supervision.restart_window_s": 1.0}
"""A campaign ends roles far more often than the shipped limits bear."""


class Kill(NamedTuple):
    """Be one kill: of what, and how long until it was at work again, in seconds."""

    role: str
    recovery_s: float


def kills(roles: tuple[str, ...], count: int, seed: int, folder: Path) -> Iterator[Kill]:
    """Kill `count` times one of `roles`, drawn from `seed`, and yield each; every session's books are checked.

    Raises AssertionError where a session's books differ from the venue's, or where a role did not come back.
    """
    chance, done, session, executions = random.Random(seed), 0, 0, 0
    config = write_config(folder / "config", "engine.yaml", FREQUENT)
    traces = Traces(folder)
    arguments: list[str | Path] = [
        *("--data", sample_path(), "--from", FIRST_DAY, "--symbols", "AAPL,IBM,MSFT"),
        *("--config", config, "--speed", str(BARS_A_SECOND)),
    ]
    while done < count:
        session += 1
        engine = RunningEngine(folder / f"session{session}", arguments, traces.environment)
        try:
            engine.start()
            while done < count:
                time.sleep(chance.uniform(0.0, LONGEST_PAUSE_S))
                role = chance.choice(roles)
                yield Kill(role, engine.kill(role))
                done += 1
        except Ended:
            pass  # its bars are traded: the next session goes on
        finally:
            try:
                summary = engine.stop()
            except BaseException:
                engine.abandon()
                traces.kill()
                raise
        executions += assert_nothing_lost_or_doubled(engine.state, summary)
    assert executions, "nothing was traded"
    left = traces.left()
    assert not left, left
