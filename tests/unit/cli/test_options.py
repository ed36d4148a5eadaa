from __future__ import annotations

from pathlib import Path

import pytest
import typer

from cli.options import UsageError, named_path, parse_date, parse_speed, parse_symbols
from tests.unit.cli.conftest import Invoke, Traded


@pytest.mark.parametrize(
    ("text", "speed"), [("0", 0.0), ("0.5", 0.5), ("0.00001", 0.00001), ("1e6", 1_000_000.0), (" 20 ", 20.0)]
)
def test_speed_is_a_number_of_bars(text: str, speed: float) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize(
    "text", ["-1", "-0.001", "nan", "inf", "1000001", "x", "", "5 bars", "1e-9", "9.9e-6"]
)
def test_a_speed_that_cannot_be_kept_is_refused_by_what_was_found(text: str) -> None:
    with pytest.raises(
        UsageError, match=r"allowed: 0 .*, or 0.00001 .* to 1,000,000 bars a second"
    ) as refused:
        parse_speed(text)
    assert f"--speed: found {text!r}" in str(refused.value)


@pytest.mark.parametrize("text", ["AAPL,AAPL", "AAPL, aapl", "BRK.B,IBM,BRK B", "BTC-PERP,IBM,btc-perp"])
def test_a_symbol_is_named_once_in_whatever_way(text: str) -> None:
    with pytest.raises(UsageError, match=r"more than once in .*; allowed: each symbol once"):
        parse_symbols([text])


def test_symbols_are_told_apart_by_commas_alone() -> None:
    assert parse_symbols([" AAPL , BRK B"]) == ("AAPL", "BRK B")
    assert parse_symbols(["no symbol at all!,IBM"]) == ("no symbol at all!", "IBM")
    assert parse_symbols(None) is None


def test_symbols_of_an_option_given_again_are_added() -> None:
    assert parse_symbols(["AAPL", "XOM,IBM"]) == ("AAPL", "XOM", "IBM")
    with pytest.raises(UsageError, match="more than once"):
        parse_symbols(["AAPL", "IBM,AAPL"])


@pytest.mark.parametrize("text", ["", "01/02/2003", "2001-02-30", " 2001-02-03", "yesterday"])
def test_a_date_is_written_one_way(text: str) -> None:
    with pytest.raises(UsageError, match="allowed: a date as YYYY-MM-DD"):
        parse_date("--from", text)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--data", ""),
        ("run", "--state", ""),
        ("run", "--config", " "),
        ("orders", "list", "--state", ""),
        ("config", "show", "--config", ""),
        ("data", "describe", ""),
    ],
)
def test_an_empty_path_is_not_the_working_directory(
    arguments: tuple[str, ...], invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `--state "$STATE"` where nothing set STATE."""
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "allowed: the name of a file or" in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [("orders", "list"), ("positions", "list"), ("audit", "query")])
def test_a_symbol_to_look_for_may_be_written_as_for_a_run(
    command: tuple[str, ...], invoke: Invoke, traded: Traded
) -> None:
    told = [
        invoke(*command, "--symbol", symbol, "--state", traded.path, "--json").stdout
        for symbol in ("AAPL", "aapl", "no such thing!")
    ]
    assert told[0] == told[1]
    assert told[0] != told[2]


@pytest.mark.parametrize(
    ("text", "told"), [("", "found ''"), (" ", "found ' '"), ("s/\udcff", r"found 's/\udcff'")]
)
def test_a_path_that_is_none_or_no_text_is_refused(text: str, told: str) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        named_path(text)
    assert told in str(refused.value)


def test_any_other_name_is_a_path() -> None:
    assert named_path("s/é \n?#") == Path("s/é \n?#")
