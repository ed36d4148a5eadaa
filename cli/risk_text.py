"""Write what `breakwater risk check` and `risk limits` found for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from cli.console import OUT
from cli.formats import NOTHING, count, quantity, utc
from cli.positions import Holdings
from cli.risk_limits import LimitState
from cli.tables import Column, Row, print_pairs, print_table, say
from cli.what_if_orders import OrdersFile
from domain.instruments import Instrument
from domain.risk.assessment import RiskAssessment
from domain.risk.checks import dollars, percent
from domain.risk.explaining import Explained
from domain.risk.sizing import SizingResult
from domain.risk.what_if import Verdict

_LIMITS = (
    Column("Limit"),
    Column("Used", right=True),
    Column("Of", right=True),
    Column("%", right=True),
    Column("Where", spare=1, wraps=12),
    Column("Last broken", wraps=24),
)
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


def print_limits(holdings: Holdings, states: Sequence[LimitState]) -> None:
    """Print the limits, how much of each is used, and when it was last broken."""
    latest = holdings.latest
    when = "no bar was decided yet" if latest is None else f"bar {latest.bar:,}, {utc(latest.at_ns)}"
    say(OUT, when if latest is None else f"{when}, equity {dollars(latest.equity)}")
    say(OUT, "")
    print_table(OUT, _LIMITS, [_limit_row(each) for each in states])


def _limit_row(state: LimitState) -> Row:
    breach, percent_used = state.last_breach, state.used_percent
    used = NOTHING if state.used is None else _figure(state.used, state.unit)
    style = "red" if percent_used is not None and percent_used >= 100.0 else ""
    share = NOTHING if percent_used is None else f"{percent_used:,.1f}"
    broken = NOTHING if breach is None else f"bar {breach.bar:,}: {breach.text}"
    return (
        state.name,
        Text(used, style),
        _figure(state.limit, state.unit),
        Text(share, style),
        state.where,
        broken,
    )


def _figure(value: float, unit: str) -> str:
    if unit == "USD":
        return dollars(value)
    return percent(value) if unit.startswith("of ") else f"{value:,.0f} {unit}"
