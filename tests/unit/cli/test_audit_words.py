from __future__ import annotations

import json
from typing import Any

import pytest

from cli.audit_words import WORDS, in_words, plain
from domain.outbox import AuditKind
from storage.audit.chain import trail_files
from tests.unit.cli.conftest import Traded

VOTES = {"long": ["a", "b"], "short": ["c"], "failed": [], "long_confidence": 0.7, "short_confidence": 0.6}


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("signals", {"fast": [["KO", 1, 0.9], ["XOM", -1, 0.5], ["GE", 0, 0.0]]}, "fast KO +0.90 XOM -0.50 GE 0"),
        ("vote", VOTES | {"held": "they cancel out"}, "held: they cancel out; 2 long (a, b), 1 short (c)"),
        ("assessment", {"denied": "cap: full", "votes": VOTES}, "refused: cap: full; 2 long (a, b), 1 short (c)"),
        (
            "assessment",
            {
                "kind": "entry",
                "lots": -17,
                "reason": "2 votes",
                "votes": VOTES,
                "denied": "",
                "figures": {"value_usd": 2_971.094},
            },
            "approved: entry of -17 lots, $2,971.09; 2 votes",
        ),
        (
            "order",
            {
                "side": "buy", "lots": 30, "type": "market_on_open",
                "kind": "entry", "reference_price": 90.02, "refused": "",
            },
            "buy 30 lots, market on open, entry, reference 90.02",
        ),
        (
            "order",
            {
                "side": "buy", "lots": 30, "type": "market",
                "kind": "exit", "reference_price": 90.02, "refused": "too many",
            },
            "refused: too many; buy 30 lots, market, exit, reference 90.02",
        ),
        (
            "order_state",
            {"state": "partially_filled", "filled_lots": 5, "lots": 1_000, "stop_price": 87.19, "text": "slow"},
            "partially filled, 5 of 1,000 lots filled, stop 87.19: slow",
        ),
        (
            "execution",
            {
                "side": "sell", "lots": 30, "symbol": "KO", "price": 89.5, "commission_micro": 1_250_000,
                "intent": "main.KO.1.1", "corrects": "E1",
            },
            "sell 30 lots KO at 89.5, commission 1.25, of main.KO.1.1, corrects E1",
        ),
        (
            "position",
            {
                "symbol": "KO", "lots": 0, "average_price": 0.0,
                "realised_micro": -1_000_000, "cash_micro": 97_302_110_000,
            },
            "flat, realised -1.00, cash 97,302.11",
        ),
        ("dividend", {"symbol": "KO", "per_unit": 0.5, "amount_micro": 7_500_000}, "KO 0.5 a unit, 7.50 in all"),
        (
            "halt",
            {"previous": "ACTIVE", "rung": "HALTED", "raised_by": "risk", "trigger": "daily_loss", "detail": "2.1 %"},
            "ACTIVE to HALTED by risk, daily loss: 2.1 %",
        ),
        (
            "heat_warning",
            {"heat": 0.16, "warning": 0.15, "text": "portfolio heat of 16.000 % has reached 15.000 %"},
            "portfolio heat of 16.000 % has reached 15.000 %",
        ),
        ("signal_failure", {"kind": "not_finite", "error": "NaN"}, "not finite: NaN"),
        ("signal_failure", {"traceback": "Traceback\n  ...\nValueError: no"}, "traceback: ValueError: no"),
        ("stopped", {"reason": "the data ended"}, "the data ended"),
        ("reconciliation", {"absent": [], "connection": 2, "mismatches": {}}, "connection 2"),
        ("intervention", {"by": "anna", "forced": True}, "by anna, forced true"),
    ],
)  # fmt: skip
def test_each_kind_is_told_in_words(kind: str, body: dict[str, Any], words: str) -> None:
    assert in_words(kind, body) == words


@pytest.mark.parametrize("kind", [kind.value for kind in AuditKind])
@pytest.mark.parametrize("body", [{"note": "other"}, {"votes": 3}, [1, "two"], "text", None, {}])
def test_a_body_of_another_form_is_told_name_by_name(kind: str, body: object) -> None:
    assert in_words(kind, body) == plain(body)


def test_long_records_are_cut_with_a_sign() -> None:
    assert in_words("intervention", {"note": "x" * 1_000}) == "note " + "x" * 294 + "…"


def test_no_record_of_an_engine_falls_back(traded_once: Traded) -> None:
    """The words follow the bodies that the machines write; a renamed field must be noticed here."""
    kinds = set()
    for path in trail_files(traded_once.path / "audit"):
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            if record["kind"] in WORDS:
                kinds.add(record["kind"])
                assert WORDS[record["kind"]](record["body"])
    assert {
        "signals",
        "vote",
        "assessment",
        "order",
        "order_state",
        "execution",
        "position",
        "started",
    } <= kinds
