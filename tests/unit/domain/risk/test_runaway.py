"""A strategy whose entries never fill is stopped, and nobody else for it."""

from __future__ import annotations

import pytest

from domain.breakers import BreakerTerms, StrategyBreakerTerms
from domain.broker import OrderType, Side
from domain.orders import BY_GATEWAY_ITSELF
from domain.outbox import AuditKind
from domain.records import IntentKind, OrderEntry, OrderState
from domain.risk.limits import RiskLimits
from domain.risk.runaway import RunawayGuard
from domain.supervision import ReleaseStrategy, StrategiesQuarantined
from tests.money import LIMITS
from tests.unit.domain.risk.bench import BUY, MAIN, SELL, Bench, Round, order_entry, settings

FEW = LIMITS._replace(max_entries_without_fill=3, max_positions=2)


def entry(ref: str, state: OrderState, text: str = "") -> OrderEntry:
    return OrderEntry(
        seq=1,
        at_ns=0,
        order_ref=ref,
        parent_ref="",
        book="main",
        symbol="AAPL",
        kind=IntentKind.ENTRY,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        lots=1,
        filled_lots=0,
        reference_price=1.0,
        stop_price=0.0,
        state=state,
        bar=1,
        connection=1,
        text=text,
    )


def guard(refs: int, *voters: str, limits: RiskLimits = FEW) -> RunawayGuard:
    made = RunawayGuard(limits, {})
    for number in range(refs):
        made.approved(f"r{number}", 5, voters)
    return made


@pytest.mark.parametrize(("refs", "barred"), [(2, False), (3, True), (4, True)])
def test_at_the_limit_a_strategy_is_barred_and_due(refs: int, barred: bool) -> None:
    made = guard(refs, "a", "b")
    assert (made.bars(["a", "c"]) != "") is barred
    assert made.take_due() == ({"a": "3 entries in a row were not filled"} if barred else {})
    assert made.take_due() == {}
    assert made.bars(["c"]) == ""


def test_as_many_as_may_be_open_may_work_at_once() -> None:
    limits = FEW._replace(max_positions=10)
    assert guard(9, "a", limits=limits).bars(["a"]) == ""
    assert guard(10, "a", limits=limits).bars(["a"]) != ""


def test_a_fill_of_one_entry_begins_anew_for_all_who_voted_for_it() -> None:
    made = guard(3, "a", "b")
    made.approved("other", 5, ["c"])
    made.filled("r1")
    left = {"since": {"c": ["other"]}, "unnamed": {"other": 5}}
    assert made.to_values() == left
    made.filled("r1")  # told again, after a restart
    assert made.to_values() == left


def test_an_end_without_a_fill_is_no_fill() -> None:
    made = guard(3, "a")
    for number, state in enumerate((OrderState.EXPIRED, OrderState.CANCELED, OrderState.REFUSED)):
        made.follow(entry(f"r{number}", state, "no_permission"))
    assert made.bars(["a"]) != ""


def test_what_the_gateway_refused_by_itself_does_not_count() -> None:
    """A venue that is away for hours is no strategy's fault."""
    made = guard(3, "a")
    made.follow(entry("r0", OrderState.REFUSED, f"{BY_GATEWAY_ITSELF}no connection"))
    assert made.bars(["a"]) == ""


def test_an_approval_that_expired_on_its_way_does_not_count() -> None:
    made = guard(3, "a")
    made.follow(entry("r0", OrderState.SENT))
    made.expire(5)
    assert len(made.to_values()["since"]["a"]) == 3
    made.expire(6)
    assert made.to_values() == {"since": {"a": ["r0"]}, "unnamed": {}}


def test_it_goes_on_from_what_was_saved_and_a_release_forgets() -> None:
    made = guard(3, "a", "b")
    later = RunawayGuard(FEW, made.to_values())
    assert later.bars(["a"]) != ""
    later.forget("a")
    assert later.bars(["a"]) == ""
    assert later.bars(["b"]) != ""


def test_one_ref_approved_again_after_a_restart_counts_once() -> None:
    made = guard(2, "a")
    made.approved("r0", 5, ["a"])
    assert made.bars(["a"]) == ""


# --- within the risk manager ------------------------------------------------------------------------------------------

TERMS = StrategyBreakerTerms(
    BreakerTerms(failures=3, timeout_s=300.0, successes=2), quarantine_after_probes=2
)


def bench() -> Bench:
    """Return a manager with five strategies, of which a and b buy for ever, that expects a fill after three entries."""
    book = MAIN._replace(strategies=("a", "b", "c", "d", "e"))
    return Bench(settings(books=(book,), limits=FEW, breakers=TERMS))


def unfilled(of: Bench, index: int) -> Round:
    """Let a bar happen at which a and b buy and the order before has expired without a fill."""
    of.fills = False
    ended = []
    for ref, intent in tuple(of.resting.items()):
        del of.resting[ref]
        ended.append(order_entry(intent, len(of.entries) + 1, OrderState.EXPIRED))
        of.entries.append(ended[-1])
    if ended:
        of.deliver(of.update(tuple(ended)))
    return of.bar(index, {"AAPL": 100.0}, {name: {"AAPL": BUY} for name in ("a", "b")})


def quarantined(of: Round) -> list[str]:
    told = [each.message for each in of.sent if isinstance(each.message, StrategiesQuarantined)]
    return [each.strategy for each in told[-1].quarantined] if told else []


def test_both_voters_are_quarantined_in_place_of_the_entry_after_the_limit() -> None:
    made = bench()
    rounds = [unfilled(made, index) for index in range(5)]
    assert [len(each.approved.approvals) for each in rounds] == [1, 1, 1, 0, 0]
    assert rounds[3].denials == ["runaway: a, b: 3 entries in a row were not filled"]
    assert [quarantined(each) for each in rounds] == [[], [], [], ["a", "b"], []]
    changes = [event.body for event in rounds[3].events(AuditKind.BREAKER)]
    assert [(change["after"], change["cause"]) for change in changes] == [
        ("quarantined", "3 entries in a row were not filled")
    ] * 2
    assert rounds[4].denials == []  # their votes are left out


def test_a_fill_in_time_lets_it_trade_on() -> None:
    made = bench()
    for index in range(3):
        unfilled(made, index)
    made.fills = True
    made.bar(3, {"AAPL": 100.0})
    assert made.bar(4, {"AAPL": 100.0}, {name: {"AAPL": SELL} for name in ("a", "b")}).intents
    made.bar(5, {"AAPL": 100.0})
    assert len(unfilled(made, 6).approved.approvals) == 1


@pytest.mark.parametrize("killed_after", range(5))
def test_a_manager_that_is_killed_counts_on(killed_after: int) -> None:
    made = bench()
    approved = 0
    for index in range(5):
        done = unfilled(made, index)
        approved += len(done.approved.approvals)
        if index == killed_after:
            made = made.reborn(done.snapshot)
    assert approved == 3


def test_a_person_releases_it_and_it_begins_anew() -> None:
    made = bench()
    *_, last = (unfilled(made, index) for index in range(4))
    released = made.deliver(ReleaseStrategy(strategy="a"))
    assert quarantined(released) == ["b"]
    made.deliver(ReleaseStrategy(strategy="b"))
    later = made.reborn(last.snapshot, released.between)
    assert [len(unfilled(made, index).approved.approvals) for index in range(4, 9)] == [1, 1, 1, 0, 0]
    assert later.manager.state()["breakers"]["a"] == "closed"
