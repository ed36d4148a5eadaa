"""Show what the inline broker does that the contract does not ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.broker import BrokerCommand
from domain.errors import BrokerUnavailable
from simulation.venue.durable import DurableVenue
from simulation.venue.inline import InlineBroker
from tests.contract.venue_benches import Inbox
from tests.contract.venue_world import bar, buy, group, settings, update_of

FLAT = bar("A", 100.0, 100.0, 100.0, 100.0)


def test_commands_wait_in_the_runtimes_mailbox_and_updates_need_a_connection(tmp_path: Path) -> None:
    posted: list[BrokerCommand] = []
    with DurableVenue(tmp_path, settings()) as venue:
        broker = InlineBroker(venue, posted.append)
        assert broker.handle(group(0, FLAT)) == []
        with pytest.raises(BrokerUnavailable):
            broker.send(buy("o", "A", 1))
        broker.open(Inbox())
        broker.send(buy("o", "A", 1))
        assert posted == [buy("o", "A", 1)]
        assert broker.state()["orders"] == 0
        assert len(update_of(broker.handle(posted[0])).events) == 1
        broker.close()
        broker.close()
        assert broker.handle(group(1, FLAT)) == []
        assert broker.state()["positions"] == {"A": 1}
