from __future__ import annotations

from typing import Any

import pytest

from storage.audit.subjects import subjects

VOTES = {"long": ["fast"], "short": ["slow"], "failed": ["vwap"], "long_confidence": 0.7}
VOTERS = {("strategy", "fast"), ("strategy", "slow"), ("strategy", "vwap")}
REF = {("ref", "main.BRK.B.19.1"), ("symbol", "BRK.B")}


@pytest.mark.parametrize(
    ("kind", "key", "body", "expected"),
    [
        ("started", "engine", {"symbols": ["KO"], "mode": "SIMULATION"}, set()),
        (
            "signals",
            "",
            {"fast": [["KO", 1, 0.9], ["XOM", -1, 0.6]], "slow": [["KO", 0, 0.0]]},
            {("strategy", "fast"), ("strategy", "slow"), ("symbol", "KO"), ("symbol", "XOM")},
        ),
        ("vote", "main.BRK.B", VOTES | {"held": "why"}, VOTERS | {("symbol", "BRK.B")}),
        ("assessment", "main.BTC/USD@coinbase", {"votes": VOTES}, VOTERS | {("symbol", "BTC/USD@coinbase")}),
        ("assessment", "main.BRK.B.19.1", {"votes": VOTES, "symbol": "BRK.B"}, VOTERS | REF),
        ("order", "main.BRK.B.19.1", {"symbol": "BRK.B", "lots": 3}, REF),
        ("order_state", "main.BRK.B.19.1.working", {"state": "working"}, REF),
        (
            "order_state",
            "main.BRK.B.19.1.stop.filled",
            {},
            {("ref", "main.BRK.B.19.1.stop"), ("symbol", "BRK.B")},
        ),
        (
            "order",
            "main.BRK.B.kill.2",
            {"sent_by": "kill"},
            {("ref", "main.BRK.B.kill.2"), ("symbol", "BRK.B")},
        ),
        ("order_state", "foreign.filled", {}, {("ref", "foreign")}),
        (
            "execution",
            "E1",
            {"intent": "main.KO.1.1", "symbol": "KO"},
            {("ref", "main.KO.1.1"), ("symbol", "KO")},
        ),
        ("position", "E1", {"symbol": "KO", "lots": 3}, {("symbol", "KO")}),
        ("signal_failure", "fast.BRK.B", {"kind": "raised"}, {("strategy", "fast"), ("symbol", "BRK.B")}),
        ("bad_bar", "BRK.B.crossed", {}, {("symbol", "BRK.B")}),
        ("halt", "daily_loss.1", {"rung": "HALTED"}, set()),
        ("dividend", "D1", {"symbol": "KO"}, {("symbol", "KO")}),
        ("intervention", "x", "no mapping", set()),
        ("signals", "", [1, 2], set()),
    ],
)
def test_a_record_is_about_what_its_kind_names(
    kind: str, key: str, body: Any, expected: set[tuple[str, str]]
) -> None:
    """Symbols may hold dots; books may not: the form of a key tells them apart."""
    assert {(subject.value, name) for subject, name in subjects(kind, key, body)} == expected
