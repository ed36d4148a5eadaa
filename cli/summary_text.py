"""Lay a session's summary out for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cli.summary import Summary


def print_summary(console: Console, summary: Summary) -> None:
    """Print `summary`: what happened, what it brought, what was refused, and how to check it."""
    parts: list[Table | Text] = [_figures(summary)]
    if summary.refused:
        parts += [Text("\nRefused, by reason", style="bold"), _counts(summary.refused)]
    if summary.strategy_failures:
        parts += [Text("\nFailed evaluations, by strategy", style="bold"), _counts(summary.strategy_failures)]
    if summary.bars_refused:
        parts += [
            Text("\nBars kept aside, by rule (refused_bars.csv in the state directory)", style="bold"),
            _counts(summary.bars_refused),
        ]
    if summary.restarts:
        parts += [Text(f"\nStarted again {_times(summary.restarts)}", style="bold")]
    if summary.halts:
        parts += [Text("\nHalts", style="bold"), _halts(summary)]
    parts += [Text("\nAudit trail", style="bold"), _audit(summary)]
    console.print(Panel(Group(*parts), title=_title(summary), border_style=_colour(summary), expand=False))


def _title(summary: Summary) -> str:
    state = "complete" if summary.completed else "stopped: run again to resume"
    return f"[bold]Breakwater[/]  {summary.mode}  session {summary.session}  {state}"


def _colour(summary: Summary) -> str:
    return "green" if summary.completed else "yellow"


def _day(at_ns: int) -> str:
    """Return the day of a bar; what people did has no bar's time."""
    if at_ns == 0:
        return "–"
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d")


def _grid() -> Table:
    table = Table.grid(padding=(0, 3))
    table.add_column(style="dim")
    table.add_column(justify="right")
    return table


def _figures(summary: Summary) -> Table:
    table = _grid()
    measures = summary.measures
    if summary.span_ns is not None:
        table.add_row("Traded", " to ".join(_day(at_ns) for at_ns in summary.span_ns))
    table.add_row("Bars", f"{summary.bars:,} on {summary.runtime}{_rate(summary)}")
    table.add_row("Symbols", _symbols(summary.symbols))
    table.add_row("Return", _signed(measures.total_return))
    table.add_row("A year", _optional(measures.annual_growth, "+.2%"))
    table.add_row("Equity", f"${measures.equity:,.2f} from ${summary.initial_equity:,.2f}")
    table.add_row("Cash", f"${summary.cash:,.2f}")
    table.add_row(
        "Largest drawdown", f"{measures.max_drawdown:.2%}, {measures.drawdown_bars:,} bars to recover"
    )
    table.add_row(
        "Sharpe, Sortino", f"{_optional(measures.sharpe, '.2f')}, {_optional(measures.sortino, '.2f')}"
    )
    table.add_row("Orders, fills", f"{len(summary.orders):,}, {len(summary.fills):,}")
    table.add_row(
        "Trades", f"{len(summary.trades):,}, {_optional(measures.average_bars_held, '.1f')} bars each"
    )
    if measures.win_rate is not None:
        win = measures.win_rate
        table.add_row("Win rate", f"{win.rate:.1%}  (95 %: {win.low:.1%} to {win.high:.1%})")
    table.add_row("Profit factor", _optional(measures.profit_factor, ".2f"))
    table.add_row("Costs", _costs(summary))
    table.add_row("Dividends", f"${summary.dividends:,.2f}")
    table.add_row("Open positions", _positions(summary))
    return table


def _rate(summary: Summary) -> str:
    if not summary.elapsed_s or summary.resumed:
        return ""
    return f", {summary.bars / summary.elapsed_s:,.0f} bars/s"


def _optional(figure: float | None, form: str) -> str:
    return "–" if figure is None else format(figure, form)


def _symbols(symbols: tuple[str, ...]) -> str:
    shown = ", ".join(symbols[:8])
    return shown if len(symbols) <= 8 else f"{shown} and {len(symbols) - 8} more"


def _costs(summary: Summary) -> str:
    costs = summary.costs
    parts = f"commissions ${costs.commissions:,.2f}, slippage ${costs.slippage:,.2f}"
    return f"${costs.total:,.2f}, {costs.total / summary.initial_equity:.2%} of initial equity\n{parts}"


def _positions(summary: Summary) -> str:
    return ", ".join(f"{symbol} {lots:+,}" for symbol, lots in summary.positions.items()) or "none"


def _signed(fraction: float) -> Text:
    return Text(f"{fraction:+.2%}", style="green" if fraction >= 0 else "red")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _counts(counts: Mapping[str, int]) -> Table:
    table = _grid()
    for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(reason.replace("_", " "), f"{count:,}")
    return table


def _halts(summary: Summary) -> Table:
    table = Table.grid(padding=(0, 3))
    for halt in summary.halts:
        table.add_row(_day(halt.at_ns), halt.rung.name, halt.trigger.value.replace("_", " "), halt.detail)
    if summary.resumes_by_rule:
        table.add_row("", "", "", f"{summary.resumes_by_rule} ended by the rule resume_after_sessions")
    return table


def _audit(summary: Summary) -> Table:
    table = _grid()
    table.add_row("Events", f"{summary.audit_events:,}")
    table.add_row("Head", summary.audit_head)
    table.add_row("Decisions", summary.decisions_digest)
    return table
