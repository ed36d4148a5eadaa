"""Hold both broker ports of the simulated venue to the contract, and what guards them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.latched_broker import LatchedBroker
from storage.latch_file import LatchFile
from tests.contract.broker_contract import Bench, BrokerContract
from tests.contract.venue_benches import InlineBench, SocketBench


class TestInlineBroker(BrokerContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        bench = InlineBench(tmp_path)
        yield bench
        bench.end()


class TestLatchedBroker(BrokerContract):
    """Guarded by a latch that is down, a port is what it was."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        bench = InlineBench(tmp_path, guard=lambda broker: LatchedBroker(broker, LatchFile(tmp_path)))
        yield bench
        bench.end()


class TestSocketBroker(BrokerContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        bench = SocketBench(tmp_path)
        yield bench
        bench.end()
