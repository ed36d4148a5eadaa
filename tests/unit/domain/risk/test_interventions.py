"""What people do reaches the risk manager once, lasts, and is on record: closing positions, resuming, scoped halts."""

from __future__ import annotations

from typing import Any

import pytest

from domain.commands import ClosePosition, CommandDone
from domain.halt_messages import LatchChanged, LatchHeld
from domain.messages import COORDINATOR, Begin, JournalUpdate
from domain.outbox import AuditKind
from domain.outputs import Send
from domain.records import HaltTrigger, IntentKind, Rung
from domain.risk.closings import ANSWERS_KEPT
from domain.risk.manager import RiskManager
from tests.unit.domain.risk.bench import BUY, MAIN, POLICY, Bench, Round, all_say, settings

PRICES = {"AAPL": 100.0}


def close(key: str = "k1", book: str = "main", symbol: str = "AAPL") -> ClosePosition:
    return ClosePosition(key=key, book=book, symbol=symbol, who="ann", reason="too large")


def answers(round_: Round) -> list[CommandDone]:
    return [each.message for each in round_.sent if isinstance(each.message, CommandDone)]


def holding(**changes: Any) -> tuple[Bench, int]:
    """Return a bench that holds AAPL after bar 1, and how much."""
    bench = Bench(settings(**changes))
    bench.bar(0, PRICES, all_say(BUY))
    bench.bar(1, PRICES)
    return bench, bench.manager.state()["positions"]["AAPL"]


# --- closing a position -------------------------------------------------------------------------------------


def test_position_that_a_person_closes_is_left_at_the_next_bar_whatever_the_votes() -> None:
    bench, lots = holding()
    asked = bench.deliver(close())
    assert answers(asked) == [
        CommandDone(
            role="risk",
            key="k1",
            done=True,
            detail=f"left at the next bar of AAPL: {lots} lots of AAPL in main",
            facts={},
        )
    ]
    exit_ = bench.bar(2, PRICES, all_say(BUY), {"a": ["AAPL"]}).intents["AAPL"]
    assert (exit_.kind, exit_.lots, exit_.reason) == (IntentKind.EXIT, lots, "closed by ann: too large")
    bench.bar(3, PRICES)
    assert bench.manager.state()["positions"] == {}
    assert list(bench.bar(4, PRICES, all_say(BUY)).intents) == ["AAPL"], "once it is closed nothing is owed"


def test_who_closed_it_and_why_is_on_record_once() -> None:
    bench, _ = holding()
    (event,) = bench.deliver(close()).events(AuditKind.INTERVENTION)
    assert (event.key, event.decision) == ("k1", False)
    assert {name: event.body[name] for name in ("who", "reason", "book", "symbol", "done")} == {
        "who": "ann",
        "reason": "too large",
        "book": "main",
        "symbol": "AAPL",
        "done": True,
    }


def test_command_that_comes_again_is_answered_alike_and_closes_nothing_more() -> None:
    bench, _ = holding()
    first = bench.deliver(close())
    assert bench.deliver(close()).records == ()
    for index in (2, 3, 4, 5):
        bench.bar(index, PRICES, all_say(BUY))
    assert list(bench.manager.state()["positions"]) == ["AAPL"], "bought again"
    again = bench.deliver(close())
    assert answers(again) == answers(first)
    assert bench.bar(6, PRICES).approved.approvals == ()


def test_exit_a_person_asked_for_is_made_again_until_the_position_is_closed() -> None:
    bench, _ = holding()
    bench.deliver(close())
    bench.gate_open = False
    refs = [
        approval.intent.intent_id
        for index in (2, 3)
        for approval in bench.bar(index, PRICES).approved.approvals
    ]
    assert refs == ["1.main.AAPL.2.1", "1.main.AAPL.3.1"]


def test_closing_by_symbol_closes_every_book_that_holds_it() -> None:
    books = [MAIN._replace(name=name, share=0.5) for name in ("one", "two")]
    bench, _ = holding(books=books, strategies=("a", "b", "c"))
    asked = bench.deliver(close(book=""))
    (told,) = answers(asked)
    assert "in one" in told.detail
    assert "in two" in told.detail
    closed = bench.bar(2, PRICES).approved.approvals
    assert [approval.intent.book for approval in closed] == ["one", "two"]


@pytest.mark.parametrize(
    ("book", "symbol", "why"),
    [
        ("main", "XOM", "main holds no XOM"),
        ("", "XOM", "no book holds XOM"),
        ("other", "AAPL", "other holds no AAPL"),
    ],
)
def test_what_is_not_held_cannot_be_closed_and_the_attempt_is_on_record(
    book: str, symbol: str, why: str
) -> None:
    bench, _ = holding()
    asked = bench.deliver(close(book=book, symbol=symbol))
    assert [(told.done, told.detail) for told in answers(asked)] == [(False, why)]
    assert len(asked.events(AuditKind.INTERVENTION)) == 1
    assert bench.bar(2, PRICES).approved.approvals == ()


def test_closing_that_was_asked_for_outlives_a_restart_before_the_next_bar() -> None:
    bench, _ = holding()
    last = bench.bar(2, PRICES)
    asked = bench.deliver(close())
    again = bench.reborn(last.snapshot, asked.between)
    assert answers(again.deliver(close())) == answers(asked)
    assert list(again.bar(3, PRICES).intents) == ["AAPL"]


def test_closing_that_was_done_is_not_done_again_after_a_restart() -> None:
    """The bar's snapshot is newer than that of the command."""
    bench, _ = holding()
    asked = bench.deliver(close())
    for index in (2, 3, 4):
        bench.bar(index, PRICES)
    bought = [bench.bar(index, PRICES, all_say(BUY)) for index in (5, 6)]
    again = bench.reborn(bought[-1].snapshot, asked.between)
    assert list(again.manager.state()["positions"]) == ["AAPL"]
    assert again.bar(7, PRICES).approved.approvals == ()


def test_command_that_comes_before_the_books_are_whole_waits_for_them() -> None:
    bench, _ = holding()
    machine = RiskManager(bench.settings, POLICY, None)
    machine.handle(Begin())
    assert machine.handle(close()) == []
    outputs = machine.handle(bench.update(tuple(bench.entries), last=True))
    (told,) = (o.message for o in outputs if isinstance(o, Send) and isinstance(o.message, CommandDone))
    assert told.done


def test_answers_are_kept_for_the_newest_commands() -> None:
    bench, _ = holding()
    for number in range(ANSWERS_KEPT + 1):
        bench.deliver(close(f"k{number}", symbol="XOM"))
    assert bench.deliver(close("k1", symbol="XOM")).records == ()
    assert bench.deliver(close("k0", symbol="XOM")).records != ()


# --- a person lowers the latch ------------------------------------------------------------------------------


def word(version: int, rung: Rung = Rung.ACTIVE, *, lowers: bool = True, **changes: Any) -> LatchChanged:
    values: dict[str, Any] = {"active": ()} | changes
    return LatchChanged(rung=rung, lowers=lowers, version=version, **values)


def held(version: int) -> Send:
    return Send(COORDINATOR, LatchHeld(role="risk", version=version))


def test_resume_by_a_person_lasts_before_it_is_confirmed() -> None:
    bench = Bench()
    bench.deliver(word(4, Rung.HALTED, lowers=False, active=(HaltTrigger.MANUAL,)))
    halted = bench.bar(0, PRICES, session=0)
    resumed = bench.deliver(word(5))
    assert resumed.sent == (held(5),)
    again = bench.reborn(halted.snapshot, resumed.between)
    assert again.manager.state()["rung"] == "ACTIVE"
    assert again.manager.state()["raised"] == []


def test_new_reference_peak_is_the_equity_last_marked_and_outlives_a_restart() -> None:
    """B4: a person ends a drawdown and may set a new reference peak."""
    bench, _ = holding()
    bench.bar(2, {"AAPL": 110.0})
    last = bench.bar(3, {"AAPL": 90.0})
    equity = bench.manager.state()["equity"]
    assert bench.manager.state()["peak_equity"] > equity
    resumed = bench.deliver(word(5, new_peak=True))
    again = bench.reborn(last.snapshot, resumed.between)
    for each in (bench, again):
        assert each.manager.state()["peak_equity"] == equity
    bench.bar(4, {"AAPL": 80.0})
    bench.deliver(word(5, new_peak=True))
    assert bench.manager.state()["peak_equity"] == equity, "told again it sets no other"


def test_resume_that_crossed_a_halt_of_ours_is_confirmed_only_once_it_holds() -> None:
    """The coordinator asks until it is: else it would take for done what is not."""
    bench, _ = holding()
    bench.hears = False
    bench.bar(2, {"AAPL": 10.0}, session=2)
    unheard = [halt.trigger for halt in bench.manager._books.latch.unheard()]
    assert unheard
    crossed = bench.deliver(word(5))
    assert held(5) not in crossed.sent
    assert [halt.trigger for halt in crossed.halts] == unheard
    assert bench.manager.state()["rung"] == "REDUCING"
    assert held(5) in bench.deliver(word(5, heard=tuple(unheard))).sent
    assert bench.manager.state()["rung"] == "ACTIVE"


# --- halts of a part of the account -------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["book:main", "symbol:AAPL"])
def test_halted_part_enters_nothing_and_leaves_as_ever(scope: str) -> None:
    bench, _ = holding()
    bench.deliver(word(1, lowers=False, scoped=((scope, Rung.HALTED),)))
    today = {"AAPL": 100.0, "XOM": 50.0}
    left = bench.bar(2, today, {n: {"AAPL": (-1, 0.9), "XOM": BUY} for n in "abc"})
    assert left.intents["AAPL"].kind is IntentKind.EXIT
    assert ("XOM" in left.intents) == (scope == "symbol:AAPL")
    refused = bench.bar(3, PRICES, all_say(BUY))
    (why,) = refused.denials
    assert why == f"halted_scope: {scope} is HALTED: nothing that increases its exposure"
    assert bench.manager.state()["scoped"] == {scope: "HALTED"}
    bench.deliver(word(2, lowers=False))
    assert list(bench.bar(4, PRICES, all_say(BUY)).intents) == ["AAPL"]


def test_entries_of_a_halted_part_are_cancelled_and_others_rest_on() -> None:
    bench = Bench()
    today = {"AAPL": 100.0, "XOM": 50.0}
    bench.bar(0, today, {n: {"AAPL": BUY, "XOM": BUY} for n in "abc"})
    bench.deliver(word(1, lowers=False, scoped=(("symbol:AAPL", Rung.REDUCING),)))
    bench.fills = False
    assert bench.bar(1, today).approved.cancels == ("1.main.AAPL.0.1",)


def test_scoped_halt_outlives_a_restart() -> None:
    bench, _ = holding()
    last = bench.bar(2, PRICES)
    halted = bench.deliver(word(1, lowers=False, scoped=(("book:main", Rung.HALTED),)))
    later = bench.bar(3, PRICES)
    for again in (bench.reborn(last.snapshot, halted.between), bench.reborn(later.snapshot, halted.between)):
        assert again.manager.state()["scoped"] == {"book:main": "HALTED"}


def test_word_that_changes_nothing_is_confirmed_and_not_kept() -> None:
    bench = Bench()
    for latch in (word(1, lowers=False), word(2), word(1)):
        round_ = bench.deliver(latch)
        assert (round_.records, round_.sent) == ((), (held(latch.version),))


def test_journal_with_nothing_new_carries_no_command_out_twice() -> None:
    bench, _ = holding()
    bench.deliver(close())
    empty = JournalUpdate(
        at_ns=0, advanced=-1, entries=(), after_seq=len(bench.entries), head=len(bench.entries), last=False
    )
    assert answers(bench.deliver(empty)) == []
