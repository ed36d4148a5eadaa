from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.risk.checks import DenialCode
from tests.scenario.settings import tight
from tests.unit.cli.conftest import Invoke, Traded

ACCOUNT = """\
equity: 100000
positions:
  - {symbol: AAPL, quantity: 10, price: 155}
  - {symbol: GOOGL, quantity: 5, price: 2850}
"""
HEADER = "symbol,side,quantity,confidence,price,book\n"


def written(folder: Path, account: str, orders: str) -> tuple[object, ...]:
    (folder / "P.yaml").write_text(account, encoding="utf-8")
    (folder / "O.csv").write_text(orders, encoding="utf-8")
    return "risk", "check", "--portfolio", folder / "P.yaml", "--orders", folder / "O.csv"


def checked(invoke: Invoke, folder: Path, account: str, orders: str) -> dict[str, Any]:
    result = invoke(*written(folder, account, orders), "--json")
    report: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (1 if report.get("unread") else report.get("exit_code", 0))
    return report


def test_check_judges_each_order_and_shows_every_check(invoke: Invoke, tmp_path: Path) -> None:
    report = checked(invoke, tmp_path, ACCOUNT, HEADER + "AAPL,buy,1,,,\nMSFT,BUY,,0.8,300,main\n")
    assert report["account"]["heat"] == pytest.approx(0.00474)
    assert report["account"]["is_safe_to_trade"] is True
    first, second = report["orders"]
    assert (first["line"], first["approved"], first["value"], first["sizing"]) == (2, True, 155.0, None)
    assert [each["passed"] for each in first["checks"]] == [True] * 18
    assert (second["quantity"], second["value"], second["sizing"]["size_usd"]) == (11.0, 3_300.0, 3_500.0)
    assert (report["approved"], report["denied"]) == (2, 0)


def test_check_tells_people_the_same(invoke: Invoke, tmp_path: Path) -> None:
    arguments = written(
        tmp_path, ACCOUNT + "latch: HALTED\n", HEADER + "AAPL,buy,1,,,\nAAPL,sell,10,,,\nAAPL,hold,1\n"
    )
    result = invoke(*arguments)
    assert result.exit_code == 1
    assert "safe to trade" in result.stdout
    assert "line 2: buy 1 AAPL for main, $155.00: denied, halt: HALTED" in result.stdout
    assert "line 3: sell 10 AAPL for main, $1,550.00: approved" in result.stdout
    assert "AAPL $1,705.00 x 3.000 % + GOOGL $14,250.00 x 3.000 % = $478.65" in result.stdout
    assert "1 row refused" in result.stdout
    assert "side: found 'hold'; allowed: buy, sell" in result.stdout
    assert "2 orders: 1 approved, 1 denied" in result.stdout


def test_days_and_peaks_and_ages_of_the_account_count(invoke: Invoke, tmp_path: Path) -> None:
    account = (
        "equity: 97999\nday_start_equity: 100000\npeak_equity: 120000\n"
        "marks: {AAPL: 155.0, IBM: 100.0}\nmark_ages: {IBM: 4}\nworking: [{symbol: AAPL, quantity: 5}]\n"
    )
    report = checked(invoke, tmp_path, account, HEADER + "AAPL,buy,1,,,\nIBM,buy,10,,,\n")
    assert report["account"]["daily_loss"] == pytest.approx(0.02001)
    assert report["account"]["drawdown"] == pytest.approx(22_001 / 120_000)
    assert report["account"]["is_safe_to_trade"] is False
    first, second = report["orders"]
    assert "daily loss" in first["reason"]
    assert next(c for c in first["checks"] if c["code"] == "position_size")["value"] == 930.0
    assert second["reason"].startswith("no_fresh_mark")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("AAPL,buy,0,,,", "quantity: found '0'; allowed: a whole number above 0"),
        ("AAPL,buy,1.5,,,", "quantity: found '1.5'; allowed: a whole number above 0"),
        ("AAPL,buy,nan,,,", "quantity: found 'nan'; allowed: a number from 0 to 1e+12"),
        ("AAPL,buy,-1,,,", "quantity: found '-1'; allowed: a number from 0 to 1e+12"),
        ("AAPL,buy,1,0.7,,", "quantity, confidence: one of them is needed"),
        ("AAPL,buy,,,,", "quantity, confidence: one of them is needed"),
        ("AAPL,buy,,1.1,,", "confidence: found '1.1'; allowed: a number from 0 to 1"),
        ("IBM,buy,1,,0,", "price: found '0'; allowed: above 0"),
        ("AAPL,buy,1,,,mian", "book: found 'mian'; did you mean main? allowed: main"),
        ("AAPL,buy,1,,,main,7", "found more values than columns: '7'"),
        (",buy,1,,,", "symbol: found ''"),
        ("BTC/EUR,buy,1,,9,", "BTC/EUR trades in EUR; the account is kept in USD"),
        ("BTC/USD:USD,buy,1,,9,", "BTC/USD:USD is a perpetual"),
    ],
)
def test_a_row_that_is_no_order_is_kept_aside_and_the_others_are_judged(
    invoke: Invoke, tmp_path: Path, row: str, reason: str
) -> None:
    report = checked(invoke, tmp_path, ACCOUNT, f"{HEADER}{row}\nAAPL,buy,1,,,\n")
    assert len(report["unread"]) == 1
    assert report["unread"][0]["line"] == 2
    assert reason in report["unread"][0]["reason"]
    assert [each["line"] for each in report["orders"]] == [3]


def test_every_fault_of_the_account_is_named_with_its_line(invoke: Invoke, tmp_path: Path) -> None:
    account = """\
equity: 100000
marks: {AAPL: 155.0}
mark_ages: {GE: 2}
positions:
  - {symbol: AAPL, quantity: 10, price: 156}
  - {symbol: IBM, quantity: 10}
  - {symbol: MSFT, quantity: 0.5, price: 3}
  - {symbol: GOOGL, quantity: 1, price: 5, book: other}
"""
    report = checked(invoke, tmp_path, account, HEADER)
    message = report["error"]["message"]
    assert report["exit_code"] == 4
    assert "5 faults" in message
    for said in (
        "P.yaml:3: mark_ages.GE: found GE; allowed: symbols that have a price here",
        "P.yaml:5: positions[0].price: found 156.0; allowed: 155.0, as AAPL is marked above",
        "P.yaml:6: positions[1].price: found nothing; required: a price, here or in marks.IBM",
        "P.yaml:7: positions[2].quantity: found 0.5; allowed: a whole number but 0",
        "P.yaml:8: positions[3].book: found 'other'; allowed: main",
    ):
        assert said in message


@pytest.mark.parametrize(
    ("account", "orders", "said"),
    [
        ("equity: .nan\n", HEADER, "equity: found nan; allowed: a number from -1,000,000,000,000"),
        ("{}\n", HEADER, "equity: found nothing; required"),
        ("equity: 1\ncash: 5\n", HEADER, "cash: found an unknown key"),
        ("equity: [\n", HEADER, "bad YAML at line 2"),
        ("equity: 1\n", "sym,side\n", "O.csv:1: found the columns sym, side; allowed: symbol, side"),
        ("equity: 1\n", "", "O.csv:1: found the columns none"),
        ("equity: 1\n", "symbol,side,side\n", "each once"),
    ],
)
def test_a_file_of_another_form_is_refused(
    invoke: Invoke, tmp_path: Path, account: str, orders: str, said: str
) -> None:
    report = checked(invoke, tmp_path, account, orders)
    assert report["exit_code"] == 4
    assert said in report["error"]["message"]


def test_files_that_are_not_there_are_named(invoke: Invoke, tmp_path: Path) -> None:
    arguments = written(tmp_path, ACCOUNT, HEADER)
    (tmp_path / "O.csv").unlink()
    assert "O.csv: No such file or directory; name a readable CSV file" in _said(invoke, arguments)
    (tmp_path / "O.csv").mkdir()
    assert "O.csv: found no regular file" in _said(invoke, arguments)
    (tmp_path / "P.yaml").unlink()
    assert "P.yaml: found no such file" in _said(invoke, arguments)


def test_bytes_that_are_no_text_are_named(invoke: Invoke, tmp_path: Path) -> None:
    arguments = written(tmp_path, ACCOUNT, HEADER)
    (tmp_path / "O.csv").write_bytes(HEADER.encode() + b"\xff,buy,1\n")
    assert "not UTF-8 at offset 43" in _said(invoke, arguments)


def _said(invoke: Invoke, arguments: tuple[object, ...]) -> str:
    result = invoke(*arguments, "--json")
    assert result.exit_code == 4
    return str(json.loads(result.stdout)["error"]["message"])


# --- risk limits ------------------------------------------------------------------------------------------------------


def limits_of(invoke: Invoke, traded: Traded, *arguments: object) -> dict[str, Any]:
    result = invoke("risk", "limits", "--state", traded.path, "--json", *arguments)
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report | {"limits": {each["name"]: each for each in report["limits"]}}


def test_limits_show_what_is_used_at_the_last_bar(invoke: Invoke, traded: Traded) -> None:
    report = limits_of(invoke, traded)
    limits, held = (
        report["limits"],
        json.loads(invoke("positions", "list", "--state", traded.path, "--json").stdout),
    )
    assert (report["bar"], report["equity"], report["warning"]) == (held["bar"], held["equity"], None)
    values = [abs(position["value"]) for position in held["positions"]]
    assert values
    assert limits["gross exposure"]["used"] == pytest.approx(sum(values) / held["equity"])
    assert limits["heat"]["used"] == pytest.approx(held["heat"])
    assert limits["drawdown"]["used"] == pytest.approx(held["drawdown"])
    assert limits["position size"]["used"] == pytest.approx(max(values))
    assert limits["positions"]["used"] == len({position["symbol"] for position in held["positions"]})
    for each in limits.values():
        if each["used"] is not None:
            assert each["used_percent"] == pytest.approx(100.0 * each["used"] / each["limit"])


def test_limits_name_every_check_that_can_deny(invoke: Invoke, traded: Traded) -> None:
    keys = {each["key"] for each in limits_of(invoke, traded)["limits"].values()}
    assert {"max_daily_loss", "max_total_drawdown", "exposure.symbol", "order_value.min", "halt.heat"} <= keys
    without_one = 2  # the largest quantity differs by kind of asset, buying power is what the cash leaves
    halting = 3
    assert len(limits_of(invoke, traded)["limits"]) == len(DenialCode) - without_one + halting


def test_limits_tell_the_newest_record_in_which_one_denied(
    invoke: Invoke, traded: Traded, tmp_path: Path
) -> None:
    """A run that a daily loss halts leaves its refusals and its halts in the trail."""
    state, config = tmp_path / "halting", tight(tmp_path / "tight")
    what = ("--symbols", "AAPL,IBM,MSFT", "--to", "2001-06-29", "--config", config, "--state", state)
    assert invoke("run", "--runtime", "inline", "--fresh", *what, "--json").exit_code == 0
    result = invoke("risk", "limits", "--state", state, "--config", config, "--json")
    limits = {each["name"]: each for each in json.loads(result.stdout)["limits"]}
    records = json.loads(
        invoke("audit", "query", "--state", state, "--kind", "halt", "--limit", "0", "--json").stdout
    )["records"]
    severe = [each for each in records if each["body"]["trigger"] == "drawdown_severe"]
    breach = limits["drawdown that halts"]["last_breach"]
    assert (breach["seq"], breach["text"]) == (severe[-1]["seq"], severe[-1]["body"]["detail"])
    text = invoke("risk", "limits", "--state", state, "--config", config).stdout
    assert f"bar {breach['bar']:,}: {breach['text']}" in text


def test_limits_without_a_trail_say_so(invoke: Invoke, tmp_path: Path) -> None:
    assert invoke("risk", "limits", "--state", tmp_path / "none").exit_code == 3
