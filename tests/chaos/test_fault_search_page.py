"""docs/fault-search.md names every fault and message, with what the code says of them."""

from __future__ import annotations

from simulation.chaos.delivery import RULES
from simulation.chaos.faults import FaultKind
from tests.real_data import ROOT

PAGE = (ROOT / "docs" / "fault-search.md").read_text(encoding="utf-8")


def test_every_kind_of_fault_is_described_and_no_other() -> None:
    table = PAGE.partition("## Faults")[2].partition("## ")[0]
    named = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert named == [kind.value for kind in FaultKind]


def test_the_table_of_messages_is_the_one_in_force() -> None:
    for rule in RULES:
        allowed = (("no", "yes")[flag] for flag in (rule.lost, rule.late, rule.doubled))
        assert f"| `{rule.message}` | {' | '.join(allowed)} | {rule.remedy} |" in PAGE
    table = PAGE.partition("## What may happen to a message")[2].partition("## ")[0]
    assert sum(line.startswith("| `") for line in table.splitlines()) == len(RULES)
