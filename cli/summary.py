"""Sum a session up from what its stores hold: nothing here is remembered from the run itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from cli.costs import Costs, trading_costs
from cli.drive import Outcome
from cli.measures import Measures, measure
from cli.opening import Opened
from cli.restarts import restarts
from domain.instruments import MICRO
from domain.messages import COORDINATOR, GATEWAY, RISK
from domain.portfolio import Portfolio
from domain.positions import Trade
from domain.records import CashEntry, EquitySnapshot, ExecutionEntry, HaltRecord, OrderEntry, OrderState
from domain.risk.manager import SNAPSHOT
from storage.audit.digest import decisions_digest
from storage.audit.recovery import trail_end
from storage.journal_reader import JournalReader, all_entries
from storage.state import StateDirectory
from supervisor.latch_keeper import LADDER


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Hold what `breakwater run` reports. Money in the account's currency, fractions as fractions."""

    mode: str
    runtime: str
    session: int
    resumed: bool
    completed: bool
    interrupted: bool
    bars: int
    symbols: tuple[str, ...]
    span_ns: tuple[int, int] | None
    orders: tuple[OrderEntry, ...]
    fills: tuple[ExecutionEntry, ...]
    trades: tuple[Trade, ...]
    measures: Measures
    initial_equity: float
    cash: float
    positions: Mapping[str, int]
    costs: Costs
    dividends: float
    halts: tuple[HaltRecord, ...]
    resumes_by_rule: int
    restarts: int
    refused: Mapping[str, int]
    bars_refused: Mapping[str, int]
    strategy_failures: Mapping[str, int]
    audit_events: int
    audit_head: str
    decisions_digest: str
    elapsed_s: float | None

    def as_dict(self, *, details: bool) -> dict[str, Any]:
        """Return the JSON object of `run --json`; `details` adds the lists of orders and fills."""
        summary = {**self._session(), **self._account(), **self._record()}
        if details:
            summary["details"] = {
                "orders": [_order(order) for order in self.orders],
                "fills": [_fill(fill) for fill in self.fills],
            }
        return summary

    def _session(self) -> dict[str, Any]:
        return {
            "mode": self.mode,
            "runtime": self.runtime,
            "session": self.session,
            "resumed": self.resumed,
            "completed": self.completed,
            "interrupted": self.interrupted,
            "elapsed_s": self.elapsed_s,
            "bars": self.bars,
            "symbols": list(self.symbols),
        }

    def _account(self) -> dict[str, Any]:
        return {
            "orders": len(self.orders),
            "fills": len(self.fills),
            "trades": len(self.trades),
            **asdict(self.measures),
            "initial_equity": self.initial_equity,
            "cash": self.cash,
            "positions": dict(self.positions),
            "commissions": self.costs.commissions,
            "slippage": self.costs.slippage,
            "costs": self.costs.total,
            "dividends": self.dividends,
        }

    def _record(self) -> dict[str, Any]:
        return {
            "halts": len(self.halts),
            "halt_list": [_halt(halt) for halt in self.halts],
            "resumes_by_rule": self.resumes_by_rule,
            "restarts": self.restarts,
            "refused": dict(self.refused),
            "bars_refused": dict(self.bars_refused),
            "strategy_failures": dict(self.strategy_failures),
            "audit": {
                "events": self.audit_events,
                "head": self.audit_head,
                "decisions_digest": self.decisions_digest,
            },
        }


def summarise(opened: Opened, outcome: Outcome | None, runtime: str) -> Summary:
    """Read the session's stores and return its summary: `runtime` ran it, or nothing did and `outcome` is None."""
    plan, directory, initial = opened.plan, opened.directory, opened.plan.settings.engine.account.initial_cash
    orders, fills, portfolio = _gateway(opened)
    equity, decided = _risk(directory)
    halts, resumes = _halts(directory)
    trades = portfolio.trades()
    events, head = trail_end(directory.audit)
    return Summary(
        mode=plan.settings.mode.value,
        runtime=opened.stored.runtime if outcome is None else runtime,
        session=opened.stored.number,
        resumed=opened.resumed,
        completed=_completed(directory),
        interrupted=outcome is not None and outcome.interrupted,
        bars=len(equity),
        symbols=plan.table.symbols,
        span_ns=(equity[0].at_ns, equity[-1].at_ns) if equity else None,
        orders=orders,
        fills=fills,
        trades=trades,
        measures=measure(initial, equity, trades, continuous=plan.table.continuous),
        initial_equity=initial,
        cash=portfolio.cash_micro() / MICRO,
        positions=portfolio.lots(),
        costs=trading_costs(orders, fills, plan.settings),
        dividends=portfolio.dividends_micro() / MICRO,
        halts=halts,
        resumes_by_rule=resumes,
        restarts=restarts(directory.audit),
        refused={**decided.get("counts", {}).get("refused", {}), **_refused_later(orders)},
        bars_refused=opened.report.refused,
        strategy_failures=decided.get("failures", {}).get("totals", {}),
        audit_events=events,
        audit_head=head,
        decisions_digest=decisions_digest(directory.audit),
        elapsed_s=None if outcome is None else outcome.elapsed_s,
    )


def _completed(directory: StateDirectory) -> bool:
    stored = directory.session()
    return stored is not None and stored.completed


def _gateway(opened: Opened) -> tuple[tuple[OrderEntry, ...], tuple[ExecutionEntry, ...], Portfolio]:
    account = opened.plan.settings.engine.account
    portfolio = Portfolio(
        opened.plan.instruments.values(),
        {account.currency: round(account.initial_cash * MICRO)},
        account.currency,
    )
    orders: list[OrderEntry] = []
    fills: list[ExecutionEntry] = []
    with _reader(opened.directory, GATEWAY) as reader:
        for entry in all_entries(reader) if reader else ():
            match entry:
                case OrderEntry():
                    orders.append(entry)
                case ExecutionEntry():
                    fills.append(entry)
                    portfolio.apply(entry)
                case CashEntry():
                    portfolio.apply(entry)
    orders.sort(key=lambda order: (order.bar, order.order_ref))
    return tuple(orders), tuple(fills), portfolio


def _risk(directory: StateDirectory) -> tuple[Sequence[EquitySnapshot], Mapping[str, Any]]:
    with _reader(directory, RISK) as reader:
        if reader is None:
            return (), {}
        snapshot = reader.snapshot(SNAPSHOT)
        return reader.equity(), {} if snapshot is None else snapshot.values


def _halts(directory: StateDirectory) -> tuple[tuple[HaltRecord, ...], int]:
    with _reader(directory, COORDINATOR) as reader:
        if reader is None:
            return (), 0
        ladder = reader.snapshot(LADDER)
        raised = tuple(halt for halt in reader.halts() if halt.rung > halt.previous)
        return raised, 0 if ladder is None else int(ladder.values["resumed_by_rule"])


@contextmanager
def _reader(directory: StateDirectory, role: str) -> Iterator[JournalReader | None]:
    """Yield a reader of the role's database, None where it never wrote one."""
    if not directory.database(role).exists():
        yield None
        return
    reader = JournalReader.open(directory.database_url(role), role)
    try:
        yield reader
    finally:
        reader.close()


def _refused_later(orders: Sequence[OrderEntry]) -> dict[str, int]:
    """Count what the risk manager approved and the gateway or the venue refused."""
    refused = [order for order in orders if order.state is OrderState.REFUSED]
    by_gateway = sum(order.text.startswith("gateway: ") for order in refused)
    counts = {"gateway": by_gateway, "venue": len(refused) - by_gateway}
    return {who: count for who, count in counts.items() if count}


def _order(order: OrderEntry) -> dict[str, Any]:
    """Return an order without what belongs to the process rather than to the order."""
    return {name: value for name, value in order._asdict().items() if name not in ("seq", "connection")}


def _fill(fill: ExecutionEntry) -> dict[str, Any]:
    done = {**asdict(fill.execution), "bar": fill.bar}  # the bar it was booked at, where its venue names none
    return {"book": fill.book, "kind": fill.kind, **done}


def _halt(halt: HaltRecord) -> dict[str, Any]:
    return {
        "bar": halt.bar,
        "at_ns": halt.at_ns,
        "rung": halt.rung.name,
        "trigger": halt.trigger.value,
        "detail": halt.detail,
    }
