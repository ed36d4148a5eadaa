"""Run many seeds over several processes and add up what came of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from importlib import import_module

from domain.errors import ConfigurationError
from simulation.chaos.runtime import Alter
from simulation.chaos.search import Result, run_schedule
from simulation.chaos.world import Site, unaltered

CHUNK = 10
"""Seeds that a process takes at a time."""

_ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})

TWICE_EVERY = 25
"""Every so many seeds one is run twice and must come out the same."""


@dataclass(slots=True)
class Tally:
    """Add up results; the digest is of all seeds' digests, whatever order they came in."""

    seeds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    fewest_faults: int = 0
    under_five: int = 0
    delivered: int = 0
    orders: int = 0
    executions: int = 0
    halts: int = 0
    failing: list[Result] = field(default_factory=list)
    _digests: dict[int, str] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        """Take in one seed's result."""
        struck = len(result.struck)
        self.fewest_faults = struck if self.seeds == 0 else min(self.fewest_faults, struck)
        self.under_five += struck < 5
        self.seeds += 1
        self.faults.update(fault.kind.value for fault in result.struck)
        self.runs.update(result.runs)
        self.delivered += result.delivered
        self.orders += result.orders
        self.executions += result.executions
        self.halts += result.halts
        self._digests[result.schedule.seed] = result.digest
        if result.violations:
            self.failing.append(result)

    @property
    def digest(self) -> str:
        """Return what all seeds' timelines amount to."""
        text = " ".join(f"{seed}:{digest}" for seed, digest in sorted(self._digests.items()))
        return blake2b(text.encode(), digest_size=16).hexdigest()


def load_mutant(name: str) -> Alter:
    """Return the mutant named "package.module:function", none for ""; raises ConfigurationError for an unknown one."""
    if not name:
        return unaltered
    module, _, function = name.partition(":")
    try:
        mutant: Alter = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f'mutant {name!r}: expected "package.module:function": {error}') from error
    return mutant


def run_seed(seed: int, site: Site, alter: Alter) -> Result:
    """Run one seed; now and then twice, which must come out the same."""
    result = run_schedule(site.schedule(seed), site, alter)
    if seed % TWICE_EVERY == 0:
        again = run_schedule(site.schedule(seed), site, alter)
        if again.digest != result.digest:
            found = f"determinism: the digests are {result.digest} and {again.digest}"
            return replace(result, violations=(*result.violations, found))
    return result


def run_seeds(
    seeds: Sequence[int], make_site: Callable[[], Site], mutant: str, jobs: int
) -> Generator[Result]:
    """Yield the result of each seed as it comes, from `jobs` processes, or from this one where that is 1.

    Signals are the caller's affair: those processes are deaf to them, and end with this one, whatever ends it. Closed
    before its end, it waits for the seeds under way.
    """
    if jobs == 1:
        site, alter = make_site(), load_mutant(mutant)
        yield from (run_seed(seed, site, alter) for seed in seeds)
        return
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, initializer=_prepare, initargs=(make_site, mutant))
    try:
        with _withheld():  # a process begins with the mask of who starts it
            waiting = [pool.submit(_run_chunk, chunk) for chunk in chunks]
        for done in as_completed(waiting):
            yield from done.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _withheld() -> Iterator[None]:
    """Keep the signals that end a command from this thread; what came meanwhile is delivered afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_PREPARED: list[tuple[Site, Alter]] = []
"""What this process runs seeds with; one entry in a process of the pool, none elsewhere."""


def _prepare(make_site: Callable[[], Site], mutant: str) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _PREPARED.append((make_site(), load_mutant(mutant)))


def _end_with_parent() -> None:
    """End this process with the one that started it, which may be killed and then says no word."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run_chunk(seeds: Sequence[int]) -> list[Result]:
    site, alter = _PREPARED[-1]
    return [run_seed(seed, site, alter) for seed in seeds]
