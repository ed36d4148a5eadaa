"""The venue says of everything at which bar group it happened, also long after and in another life."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from domain.broker import (
    CancelOrder,
    DividendPaid,
    Downloaded,
    DownloadKind,
    Executed,
    OrderReported,
    RequestDownload,
)
from domain.errors import StateError
from simulation.venue.durable import DurableVenue
from simulation.venue.journal import FILE_NAME
from tests.contract.venue_world import bar, buy, group, settings, update_of

FLAT = bar("A", 100.0, 100.0, 100.0, 100.0)
PAYS = bar("A", 100.0, 100.0, 100.0, 100.0, dividend=0.5)
FALLS = bar("A", 100.0, 100.0, 90.0, 90.0)


def happened(venue: DurableVenue) -> list[Any]:
    """Trade: bought at group 1, paid at 2, stopped out at 4; one order cancelled after 2; return what was told live."""
    live: list[Any] = []
    for message in (
        group(0, FLAT),
        buy("bought", "A", 5, attached_stop_pct=0.03),
        group(1, FLAT),
        group(2, PAYS),
        buy("ended", "A", 5),
        CancelOrder(order_ref="ended"),
        group(3, FLAT),
        group(4, FALLS),
        group(5, bar("A", 90.0, 90.0, 90.0, 90.0)),
    ):
        live += update_of(venue.handle(message)).events
    return live


def downloaded(venue: DurableVenue) -> list[Any]:
    found: list[Any] = []
    for number, kind in enumerate(DownloadKind):
        (told,) = update_of(venue.handle(RequestDownload(request_id=number, kind=kind))).events
        assert isinstance(told, Downloaded)
        found += [*told.executions, *told.dividends, *told.orders]
    return found


def newest(events: list[Any]) -> dict[str, Any]:
    """Return the last word on each order, execution and dividend."""
    names = {Executed: "exec_id", DividendPaid: "payment_id", OrderReported: "order_ref"}
    return {getattr(event, names[type(event)]): event for event in events}


def test_a_download_tells_the_bars_of_live_updates_also_after_a_restart(tmp_path: Path) -> None:
    with DurableVenue(tmp_path, settings()) as venue:
        live = newest(happened(venue))
        assert newest(downloaded(venue)) == live
    with DurableVenue(tmp_path, settings()) as venue:
        assert newest(downloaded(venue)) == live
    assert {name: event.bar for name, event in live.items()} == {
        "bought": 1,
        "bought.stop": 4,
        "ended": 2,
        "E00000001": 1,
        "E00000002": 4,
        "D2.A": 2,
    }


def test_a_day_order_that_its_session_ended_is_told_alike_live_and_later(tmp_path: Path) -> None:
    with DurableVenue(tmp_path, settings()) as venue:
        live: list[Any] = []
        for message in (group(0, FLAT), buy("b", "B", 5), group(1, FLAT), group(2, FLAT, session=2)):
            live += update_of(venue.handle(message)).events
        assert live[-1].bar == 2
        assert downloaded(venue) == live[-1:]


def test_a_journal_of_an_older_release_is_refused_by_its_version(tmp_path: Path) -> None:
    DurableVenue(tmp_path, settings()).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as other:
        other.execute("UPDATE account SET schema_version = 1")
    with pytest.raises(StateError, match="has schema version 1, this program reads version 2") as refused:
        DurableVenue(tmp_path, settings())
    assert "--fresh" in str(refused.value)
