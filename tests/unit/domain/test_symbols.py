"""Symbols: one spelling for each, rubbish refused (C5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.symbols import MAX_LENGTH, Symbol, normalise_symbol, parse_symbol


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("AAPL", Symbol("AAPL")),
        (" aapl ", Symbol("AAPL")),
        ("BRK.B", Symbol("BRK", share_class="B")),
        ("brk-b", Symbol("BRK", share_class="B")),
        ("BRK B", Symbol("BRK", share_class="B")),
        ("6EH4.XCME", Symbol("6EH4", mic="XCME")),
        ("EURUSD@Oanda", Symbol("EURUSD", venue="oanda")),
        ("btc/usd@coinbase", Symbol("BTC", quote="USD", venue="coinbase")),
        ("BTC-USD", Symbol("BTC", quote="USD")),
        ("ETH_USDT", Symbol("ETH", quote="USDT")),
        ("XRP/USDT:USDT", Symbol("XRP", quote="USDT", settle="USDT", perpetual=True)),
        ("BTC/USD:BTC@binance", Symbol("BTC", quote="USD", settle="BTC", perpetual=True, venue="binance")),
        ("BTC-PERP", Symbol("BTC", perpetual=True)),
        ("1000PEPE/USDT", Symbol("1000PEPE", quote="USDT")),
    ],
)
def test_each_form_is_taken_apart(text: str, parts: Symbol) -> None:
    assert parse_symbol(text) == parts


@pytest.mark.parametrize("text", ["BRK.B", "brk-b", "BRK B", "Brk.b"])
def test_class_shares_have_one_spelling(text: str) -> None:
    assert normalise_symbol(text) == "BRK.B"


@pytest.mark.parametrize(
    "text",
    ["BTC/USD@coinbase", "ADA/USDT:USDT@binance", "XRP/USDT:USDT", "BTC-PERP", "6EH4.XCME", "AAPL", "BRK.B"],
)
def test_the_one_spelling_stays_as_it_is(text: str) -> None:
    assert normalise_symbol(text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("AA\nPL", "printable ASCII"),
        ("AAPL\x00", "printable ASCII"),
        ("\tAAPL", "printable ASCII"),
        ("ÄPFEL", "printable ASCII"),
        ("A" * (MAX_LENGTH + 1), "41 characters; at most 40"),
        ("A,B", "no known form"),
        ("A;B", "no known form"),
        ("../AAPL", "no known form"),
        ("AAPL/", "no known form"),
        ("/USD", "no known form"),
        ("BRK/B", "no known form"),
        ("BTC/USD:", "no known form"),
        ("BTC/USD:BTC:ETH", "no known form"),
        ("BTC/USD@", "venue"),
        ("BTC/USD@a/b", "venue"),
        ("BTC/USD@a@b", "venue"),
        ("^GSPC", "no known form"),
        ("BRK..B", "no known form"),
        ("BRK.ABC", "no known form"),
    ],
)
def test_rubbish_is_refused_with_what_was_found(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="symbol") as refusal:
        parse_symbol(text)
    assert said in str(refusal.value)


@given(st.text(max_size=50))
def test_any_text_is_refused_or_has_a_stable_spelling(text: str) -> None:
    try:
        name = normalise_symbol(text)
    except ValueError:
        return
    assert normalise_symbol(name) == name
    assert name.isprintable()
    assert not set(name) & set(",;\\\"'|\n\r\t ")
