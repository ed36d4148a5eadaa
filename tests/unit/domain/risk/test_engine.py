"""The engine approves what every check and the latch allow, and words each judgement."""

from __future__ import annotations

import pytest

from domain.broker import OrderType, Side, TimeInForce
from domain.desk import NO_VOTES
from domain.messages import OrderIntent
from domain.outbox import AuditKind
from domain.records import IntentKind, Rung
from domain.risk.engine import RiskEngine, assessment_event
from domain.risk.exposure import ValuedPosition
from domain.risk.figures import AccountView, ProposedOrder
from domain.risk.sizing import size_position
from tests.money import LIMITS

ACCOUNT = AccountView(equity=100_000.0, day_start_equity=100_000.0, peak_equity=100_000.0, positions=())


def intent(lots: int = 20, kind: IntentKind = IntentKind.ENTRY, side: Side = Side.BUY) -> OrderIntent:
    return OrderIntent(
        intent_id="3.main.AAPL.9.1",
        at_ns=5,
        bar=9,
        book="main",
        symbol="AAPL",
        kind=kind,
        side=side,
        lots=lots,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        reference_price=100.0,
        stop_loss_pct=0.03,
        reason="2 votes",
    )


def proposed(lots: int, *, held: int = 0, age: int = 0) -> ProposedOrder:
    after = ValuedPosition("main", "AAPL", "technology", (held + lots) * 100.0, 0.03)
    return ProposedOrder(
        lots=lots,
        max_lots=1_000,
        value_usd=abs(lots) * 100.0,
        mark_age_bars=age,
        price_deviation=0.0,
        book_capital=1.0,
        buying_power_usd=100_000.0,
        open_orders=0,
        reducible_lots=held,
        after=after,
    )


def denial(order: ProposedOrder, rung: Rung = Rung.ACTIVE, account: AccountView = ACCOUNT) -> str:
    approval, why, _ = RiskEngine(LIMITS, epoch=4).judge(intent(abs(order.lots)), order, account, rung)
    assert (approval is None) == bool(why)
    return why


def test_approval_carries_limits_version_epoch_and_expiry() -> None:
    approval, why, _ = RiskEngine(LIMITS._replace(version=11), epoch=4).judge(
        intent(), proposed(20), ACCOUNT, Rung.ACTIVE
    )
    assert why == ""
    assert approval is not None
    assert (approval.limits_version, approval.risk_epoch, approval.expires_bar) == (11, 4, 9)
    assert approval.intent == intent()


@pytest.mark.parametrize("rung", [Rung.REDUCING, Rung.HALTED, Rung.FLATTENING])
@pytest.mark.parametrize(
    ("held", "lots", "allowed"),
    [
        (50, -50, True),
        (50, -49, True),
        (50, -51, False),  # by size: it would flip the position
        (-50, 50, True),
        (-50, 51, False),
        (0, 20, False),
        (0, -20, False),
        (50, 1, False),
    ],
)
def test_while_a_latch_is_up_only_orders_that_shrink_a_position_pass(
    rung: Rung, held: int, lots: int, allowed: bool
) -> None:
    why = denial(proposed(lots, held=held), rung)
    assert (why == "") == allowed
    if not allowed:
        assert why.startswith(f"halt: {rung.name}: only orders that shrink a position may pass")


def test_denial_under_a_latch_names_the_figure_too() -> None:
    """A8: "daily loss" is in the reason, whichever gate is first."""
    down = AccountView(equity=98_000.0, day_start_equity=100_000.0, peak_equity=100_000.0, positions=())
    assert "daily loss of 2.000 %" in denial(proposed(20), Rung.REDUCING, down)
    assert denial(proposed(20), Rung.ACTIVE, down).startswith("daily_loss: daily loss of 2.000 %")


@pytest.mark.parametrize(("age", "allowed"), [(0, True), (3, True), (4, False), (-1, False)])
@pytest.mark.parametrize(("held", "lots"), [(0, 20), (20, -20)])
def test_order_without_a_fresh_mark_is_refused(age: int, allowed: bool, held: int, lots: int) -> None:
    """A4: where no fresh price exists the order is refused, whichever way it goes."""
    why = denial(proposed(lots, held=held, age=age))
    assert (why == "") == allowed
    assert allowed or why.startswith("no_fresh_mark")


def test_exit_passes_on_an_account_that_has_lost_everything() -> None:
    broke = AccountView(equity=-5.0, day_start_equity=100_000.0, peak_equity=100_000.0, positions=())
    assert denial(proposed(-20, held=20), Rung.HALTED, broke) == ""
    assert denial(proposed(20), Rung.ACTIVE, broke) != ""


def test_assessment_explains_votes_size_and_figures() -> None:
    """Every order, and every refusal, is explained; the key leaves the session out, so that runs compare."""
    size = size_position(
        confidence=0.9, equity=100_000.0, heat=0.0, capital=50_000.0, room=10_000.0, limits=LIMITS
    )
    _, why, figures = RiskEngine(LIMITS, 1).judge(intent(), proposed(20), ACCOUNT, Rung.HALTED)
    event = assessment_event(intent(), NO_VOTES, size, figures, why)
    assert (event.kind, event.key, event.bar, event.at_ns, event.decision) == (
        AuditKind.ASSESSMENT,
        "main.AAPL.9.1",
        9,
        5,
        True,
    )
    assert event.body["denied"] == why
    assert event.body["figures"]["value_usd"] == 2_000.0
    assert event.body["sizing"]["from_confidence_usd"] == pytest.approx(4_250.0)
    sold = assessment_event(intent(side=Side.SELL), NO_VOTES, None, figures, "")
    assert (sold.body["lots"], sold.body["sizing"]) == (-20, None)
