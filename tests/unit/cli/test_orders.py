from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from storage.state import StateDirectory
from tests.unit.cli.conftest import Invoke, Traded

KEYS = {
    "order_ref", "parent_ref", "book", "symbol", "kind", "side", "order_type", "state", "open", "lots", "filled_lots",
    "quantity", "filled_quantity", "currency", "reference_price", "stop_price", "average_price", "commission", "bar",
    "at_ns", "at", "text",
}  # fmt: skip


def listed(invoke: Invoke, path: Path, *options: object) -> dict[str, Any]:
    result = invoke("orders", "list", "--state", path, "--json", *options)
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_every_order_of_the_session_is_listed_with_what_it_cost(invoke: Invoke, traded: Traded) -> None:
    report = listed(invoke, traded.path, "--limit", 0)
    summary = traded.summary
    assert report["total"] == report["matching"] == len(report["orders"]) == summary["orders"] > 100
    assert {frozenset(order) for order in report["orders"]} == {frozenset(KEYS)}
    assert sum(order["commission"] for order in report["orders"]) == pytest.approx(summary["commissions"])
    assert (report["session"], report["warning"]) == (1, None)


def test_a_filled_order_tells_the_price_of_its_execution(invoke: Invoke, traded: Traded) -> None:
    fills = {fill["order_ref"]: fill for fill in traded.summary["details"]["fills"]}
    orders = {order["order_ref"]: order for order in listed(invoke, traded.path, "--limit", 0)["orders"]}
    assert {ref for ref, order in orders.items() if order["filled_lots"]} == set(fills)
    for ref, fill in fills.items():
        assert orders[ref]["average_price"] == pytest.approx(fill["price"])
        assert orders[ref]["filled_quantity"] == str(fill["lots"])


def test_limit_keeps_the_newest_and_says_how_many_match(invoke: Invoke, traded: Traded) -> None:
    every = listed(invoke, traded.path, "--limit", 0)["orders"]
    report = listed(invoke, traded.path, "--limit", 3)
    assert report["orders"] == every[-3:]
    assert report["matching"] == len(every)
    assert len(listed(invoke, traded.path)["orders"]) == 50


@pytest.mark.parametrize(
    ("options", "key", "value"),
    [
        (("--symbol", "IBM"), "symbol", "IBM"),
        (("--book", "main"), "book", "main"),
        (("--state-of-order", "filled"), "state", "filled"),
        (("--state-of-order", "canceled"), "state", "canceled"),
        (("--state-of-order", "open"), "open", True),
        (("--state-of-order", "final"), "open", False),
    ],
)
def test_an_option_chooses_all_orders_it_names_and_no_other(
    invoke: Invoke, traded: Traded, options: tuple[str, str], key: str, value: object
) -> None:
    every = listed(invoke, traded.path, "--limit", 0)["orders"]
    wanted = [order for order in every if order[key] == value]
    assert listed(invoke, traded.path, "--limit", 0, *options)["orders"] == wanted != []


def test_what_matches_nothing_names_what_there_is(invoke: Invoke, traded: Traded) -> None:
    result = invoke("orders", "list", "--state", traded.path, "--symbol", "XOM")
    assert result.exit_code == 0
    assert "No order matches" in result.stdout
    assert "AAPL, IBM, MSFT" in result.stdout
    assert listed(invoke, traded.path, "--symbol", "XOM")["orders"] == []


def test_in_a_pipe_each_order_is_one_line(invoke: Invoke, traded: Traded) -> None:
    lines = invoke("orders", "list", "--state", traded.path, "--limit", 7).stdout.splitlines()
    assert len(lines) == 1 + 7 + 1
    order = listed(invoke, traded.path, "--limit", 1)["orders"][0]
    assert order["order_ref"] in lines[-2]
    assert lines[-1] == f"{traded.summary['orders']:,} orders; the newest 7 are shown, --limit 0 shows all"


@pytest.mark.parametrize(
    "options", [("--state-of-order", "lost"), ("--limit", "-1"), ("--colour", "red"), ("more",)]
)
def test_wrong_arguments_end_with_code_2(invoke: Invoke, traded: Traded, options: tuple[str, ...]) -> None:
    assert invoke("orders", "list", "--state", traded.path, *options).exit_code == 2


def test_orders_are_listed_while_an_engine_holds_the_directory(invoke: Invoke, traded: Traded) -> None:
    directory = StateDirectory(traded.path)
    directory.lock()
    try:
        assert listed(invoke, traded.path)["total"] == traded.summary["orders"]
    finally:
        directory.release()


def test_another_configuration_than_the_sessions_is_warned_of(
    invoke: Invoke, traded: Traded, tmp_path: Path
) -> None:
    shipped = Path("config/shutdown.yaml").read_text(encoding="utf-8")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "shutdown.yaml").write_text(
        shipped.replace("deadline_s: ", "deadline_s: 1"), encoding="utf-8"
    )
    assert "begun with another configuration" in str(
        listed(invoke, traded.path, "--config", tmp_path / "own")["warning"]
    )
    result = invoke("orders", "list", "--state", traded.path, "--config", tmp_path / "own")
    assert result.exit_code == 0
    assert "begun with another configuration" in result.stderr
