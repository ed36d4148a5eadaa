"""Write what `breakwater risk check` found for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from cli.console import OUT
from cli.formats import count, quantity
from cli.tables import Column, Row, print_pairs, print_table, say
from cli.what_if_orders import OrdersFile
from domain.instruments import Instrument
from domain.risk.assessment import RiskAssessment
from domain.risk.checks import dollars
from domain.risk.explaining import Explained
from domain.risk.sizing import SizingResult
from domain.risk.what_if import Verdict

_CHECKS = (Column("Check"), Column("", wraps=7), Column("Arithmetic", wraps=60))
_UNREAD = (Column("Line", right=True), Column("Row", wraps=30), Column("Refused because", wraps=40))


def print_check(
    assessment: RiskAssessment,
    verdicts: Sequence[tuple[int, Verdict]],
    rows: OrdersFile,
    instruments: Mapping[str, Instrument],
) -> None:
    """Print the account, each order with its checks, and the rows that are no orders."""
    safe = assessment.is_safe_to_trade
    say(
        OUT,
        Text("safe to trade" if safe else "not safe to trade", style="bold green" if safe else "bold red"),
    )
    print_pairs(OUT, [("equity", dollars(assessment.equity)), *((c.name, c.text) for c in assessment.checks)])
    for line, verdict in verdicts:
        say(OUT, "")
        say(OUT, _headline(line, verdict, instruments[verdict.order.symbol]))
        if verdict.sizing is not None:
            print_pairs(OUT, _sizing(verdict.sizing))
        if verdict.checks:
            print_table(OUT, _CHECKS, [_row(each) for each in verdict.checks])
    if rows.unread:
        say(OUT, "")
        say(OUT, Text(f"{count(len(rows.unread), 'row')} refused", style="bold red"))
        print_table(OUT, _UNREAD, [(f"{each.line}", each.row, each.reason) for each in rows.unread])
    approved = sum(verdict.approved for _, verdict in verdicts)
    say(OUT, "")
    say(OUT, f"{count(len(verdicts), 'order')}: {approved} approved, {len(verdicts) - approved} denied")


def _headline(line: int, verdict: Verdict, instrument: Instrument) -> Text:
    order = verdict.order
    units = f"{quantity(verdict.lots, instrument)} " if verdict.lots else ""
    text = Text(
        f"line {line}: {order.side.value} {units}{order.symbol} for {order.book}, {dollars(verdict.value)}: "
    )
    text.append(
        "approved" if verdict.approved else f"denied, {verdict.reason}",
        style="green" if verdict.approved else "red",
    )
    return text


def _row(each: Explained) -> Row:
    verdict = (
        Text("denies", "bold red") if each.denied else Text("exempt" if each.exempt else "passes", "green")
    )
    return each.code.value.replace("_", " "), verdict, each.arithmetic


def _sizing(size: SizingResult) -> list[tuple[str, str]]:
    return [
        ("by confidence", dollars(size.from_confidence_usd)),
        ("by risk per trade", dollars(size.risk_per_trade_usd)),
        ("by heat left", dollars(size.heat_left_usd)),
        ("by free capital", dollars(size.free_capital_usd)),
        ("by room for the symbol", dollars(size.symbol_room_usd)),
        ("size", size.reason),
    ]
