"""Judge intents: the only maker of `OrderApproved`.

An intent is judged on the account as it would be with every working order and the intent itself filled. Each judgement
leaves an audit event with the figures it was made from, so that every order, and every refusal, is explained.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.broker import signed
from domain.desk import Tally, votes_body
from domain.messages import OrderApproved, OrderIntent
from domain.order_refs import without_session
from domain.outbox import AuditEvent, AuditKind
from domain.records import Rung
from domain.risk.checks import first_denial
from domain.risk.figures import AccountView, ProposedOrder, figures_for
from domain.risk.limits import RiskLimits
from domain.risk.measures import OrderFigures
from domain.risk.sizing import SizingResult


class RiskEngine:
    """Approve or deny, and explain."""

    def __init__(self, limits: RiskLimits, epoch: int) -> None:
        """Judge by `limits` as generation `epoch` of the risk manager."""
        self._limits = limits
        self._epoch = epoch

    def judge(
        self, intent: OrderIntent, order: ProposedOrder, account: AccountView, rung: Rung
    ) -> tuple[OrderApproved | None, str, OrderFigures]:
        """Return the approval (None when denied), the denial as "code: text", and the figures judged by."""
        figures = figures_for(order, account)
        denial = first_denial(figures, self._limits)
        why = "" if denial is None else f"{denial.code.value}: {denial.text}"
        if rung > Rung.ACTIVE and not figures.reduces:
            halted = f"halt: {rung.name}: only orders that shrink a position may pass"
            why = f"{halted}; {why}" if why else halted
        if why:
            return None, why, figures
        approval = OrderApproved(
            intent=intent,
            limits_version=self._limits.version,
            risk_epoch=self._epoch,
            expires_bar=intent.bar,
        )
        return approval, "", figures


def assessment_event(
    intent: OrderIntent, votes: Tally, sizing: SizingResult | None, figures: OrderFigures, why: str
) -> AuditEvent:
    """Word one judgement for the audit trail: votes, size step by step, figures, and the reason when denied."""
    body: dict[str, Any] = {
        "book": intent.book,
        "symbol": intent.symbol,
        "kind": intent.kind.value,
        "lots": signed(intent.side, intent.lots),
        "reference_price": intent.reference_price,
        "reason": intent.reason,
        "votes": votes_body(votes),
        "sizing": sizing_body(sizing) if sizing is not None else None,
        "figures": figures._asdict(),
        "denied": why,
    }
    return AuditEvent(
        AuditKind.ASSESSMENT, intent.at_ns, intent.bar, without_session(intent.intent_id), True, body
    )


def sizing_body(sizing: SizingResult) -> Mapping[str, Any]:
    """Return each step of a size computation as the audit trail keeps it, in USD."""
    return {
        "size_usd": sizing.size_usd,
        "reason": sizing.reason,
        "from_confidence_usd": sizing.from_confidence_usd,
        "risk_per_trade_usd": sizing.risk_per_trade_usd,
        "heat_left_usd": sizing.heat_left_usd,
        "free_capital_usd": sizing.free_capital_usd,
        "symbol_room_usd": sizing.symbol_room_usd,
    }
