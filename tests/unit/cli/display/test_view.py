from __future__ import annotations

from typing import Any

import pytest

from cli.display.view import Limited, read
from tests.unit.cli.display.samples import STRATEGIES, risk, role, snapshot, speaking


def test_a_whole_snapshot_is_read() -> None:
    view = read(snapshot())
    assert (view.mode, view.session, view.phase, view.rung) == ("SIMULATION", "3", "running", "ACTIVE")
    assert view.account.limited[0] == Limited("drawdown", 0.0832, 0.15)
    assert [each.name for each in view.strategies] == list(STRATEGIES)
    assert view.strategies[0].said == ("AAPL", 1, 0.734)
    assert [(each.symbol, each.lots, each.stop) for each in view.positions] == [
        ("AAPL", 141, 99.0),
        ("KO", 260, 99.0),
    ]
    assert [(each.symbol, each.kind) for each in view.orders] == [("MSFT", "entry"), ("AAPL", "stop")]
    assert len(view.actors) == 11


def test_an_empty_snapshot_leaves_everything_unknown() -> None:
    view = read({})
    assert view.account.equity is None
    assert (view.strategies, view.positions, view.orders, view.actors) == ((), (), (), ())


@pytest.mark.parametrize(
    ("breakers", "state"),
    [
        ({"vwap_slow": {"state": "half_open"}}, "half_open"),
        ({"vwap_slow": "open"}, "open"),
        ({}, ""),
        (None, ""),
    ],
)
def test_a_breaker_is_read_as_its_state_or_as_a_word(breakers: Any, state: str) -> None:
    told = snapshot()
    told["views"]["risk"] = risk(breakers=breakers)
    assert read(told).strategies[-1].breaker == state


def test_failures_of_a_strategy_come_from_who_counts_them() -> None:
    slow = read(snapshot()).strategies[-1]
    assert (slow.failures, slow.in_a_row) == (7, 3)


def test_a_strategy_without_a_view_is_known_by_its_process() -> None:
    view = read(
        {"roles": {"strategy:mine": role(status="quarantined", why="4 in 60 s", strategies=["mine"])}}
    )
    assert [each.name for each in view.strategies] == ["mine"]
    assert view.strategies[0].bars is None
    assert (view.actors[0].status, view.actors[0].why) == ("quarantined", "4 in 60 s")


def test_strategies_stand_after_the_other_actors() -> None:
    assert [each.role for each in read(snapshot()).actors][:6] == [
        "audit",
        "coordinator",
        "feed",
        "gateway",
        "risk",
        "strategy:mean_reversion_fast",
    ]


def test_strategies_that_share_a_role_are_shown_each_with_what_it_says() -> None:
    told = snapshot()
    apart = read(told).strategies
    for name in STRATEGIES:
        del told["views"][f"strategy:{name}"], told["roles"][f"strategy:{name}"]
    told["views"] |= {"strategies:1": speaking(*STRATEGIES[:4]), "strategies:2": speaking(*STRATEGIES[4:])}
    told["roles"] |= {f"strategies:{number}": role() for number in (1, 2)}
    view = read(told)
    assert view.strategies == apart
    assert [each.role for each in view.actors][-3:] == ["risk", "strategies:1", "strategies:2"]
