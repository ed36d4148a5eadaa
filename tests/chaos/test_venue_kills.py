"""Kill the venue's process with SIGKILL at random moments; it must end as a venue that was never killed."""

from __future__ import annotations

import os
import random
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from domain.broker import BrokerUpdate, CancelMany, ClosePosition, DownloadKind, RequestDownload
from domain.errors import BrokerUnavailable
from domain.messages import BarsPublished
from simulation.venue.address import is_running
from simulation.venue.machine import VenueInput, VenueMachine
from tests.contract.venue_benches import SocketBench
from tests.contract.venue_world import IB_FIXED, bar, buy, group, limit, sell, settings, update_of
from tests.sizes import prove_size

VENUE = settings(equity_fees=IB_FIXED, participation=0.2)
KILLS = prove_size(5, 500)
SEED = 20_261
INPUTS_PER_KILL = 40


def script(chance: random.Random, inputs: int) -> list[VenueInput]:
    """Return a session of bars around 100 with entries, exits and resting orders between them."""
    made: list[VenueInput] = []
    price = 100.0
    while len(made) < inputs:
        index = sum(isinstance(each, BarsPublished) for each in made)
        price = max(50.0, price + chance.randint(-300, 300) / 100)
        candles = [
            bar(symbol, price, price + 2, price - 4, price - 1, chance.choice([100.0, 1e4]))
            for symbol in ("A", "B")
        ]
        made.append(group(index, *candles, session=1 + index // 5))
        ref, symbol = f"o{index}", chance.choice(["A", "B"])
        made.append(
            chance.choice(
                [
                    buy(ref, symbol, 30, attached_stop_pct=0.03, oca_group=symbol),
                    sell(ref, symbol, 10, oca_group=symbol),
                    buy(ref, symbol, 20, **limit(round(price - 2.0, 2))),
                ]
            )
        )
    return made


class Killer:
    """End the present venue process after a random while, again and again."""

    def __init__(self, bench: SocketBench, chance: random.Random) -> None:
        self.bench = bench
        self.chance = chance
        self.killed: list[int] = []
        self._arm()

    def _arm(self) -> None:
        self.timer = threading.Timer(self.chance.uniform(0.0, 0.1), self._kill)
        self.timer.start()

    def _kill(self) -> None:
        pid = self.bench.process.address.pid
        os.kill(pid, signal.SIGKILL)
        self.killed.append(pid)

    def revive(self) -> None:
        """Wait for the death, start the venue again, connect, and set the next death while some are left."""
        self._replace()
        if len(self.killed) < KILLS:
            self._arm()

    def rest(self) -> None:
        """Let the last death that was set happen, and leave a venue that lives."""
        self.timer.join()
        if self.bench.process.address.pid in self.killed:
            self._replace()

    def _replace(self) -> None:
        self.timer.join()
        while is_running(self.bench.state_dir):
            threading.Event().wait(0.01)
        self.bench.broker.close()
        self.bench.inbox.clear()
        self.bench.restart()
        self.bench.connect()


def answered(bench: SocketBench, message: VenueInput) -> BrokerUpdate | None:
    """Return the answer to `message`; None when the venue died on the way."""
    try:
        if isinstance(message, BarsPublished):
            bench.market.put(message)
        else:
            assert not isinstance(message, CancelMany | ClosePosition), "a gateway has no such command"
            bench.broker.send(message)
    except BrokerUnavailable:
        return None
    found = bench.inbox.take()
    return found if isinstance(found, BrokerUpdate) else None


def everything(answer: Any) -> list[Any]:
    """Return all downloads; request ids agree between venues."""
    return [answer(RequestDownload(request_id=n, kind=kind)).events for n, kind in enumerate(DownloadKind)]


@pytest.mark.timeout(60 + 10 * KILLS)
def test_a_venue_killed_at_random_moments_ends_as_one_that_was_not(tmp_path: Path) -> None:
    """I1 to I3 at the venue: each input without an answer is sent again, no order and no fill is doubled or lost."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    plain, bench = VenueMachine(VENUE), SocketBench(tmp_path, VENUE)
    bench.connect()
    killer = Killer(bench, chance)
    try:
        for message in script(chance, KILLS * INPUTS_PER_KILL):
            plain.handle(message)
            while answered(bench, message) is None:
                killer.revive()
        killer.rest()
        assert len(killer.killed) >= min(KILLS, 3)
        assert everything(bench.tell) == everything(lambda request: update_of(plain.handle(request)))
    finally:
        killer.timer.cancel()
        killer.timer.join()
        bench.end()
