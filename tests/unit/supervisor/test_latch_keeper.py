"""The latch moves durably first, then in its file, then by word; a lowered one goes to the gateway first."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import Unanswered
from domain.halt_messages import HaltReviewed, LatchChanged, LatchHeld, PositionsClosed, RaiseHalt, ReviewHalt
from domain.halts import HaltLadder
from domain.latch_copy import BY_GATEWAY
from domain.messages import GATEWAY, RISK
from domain.outputs import CancelTimer, Output, Persist, Send, SetTimer, WriteLatch
from domain.records import HaltRecord, HaltTrigger, Rung
from supervisor.found_latch import FoundLatch
from supervisor.latch_keeper import LADDER, LatchKeeper
from supervisor.lowering import HELD_TIMER, RISK_TIMER
from tests.unit.domain.test_halts import policy

T = HaltTrigger


def keeper(saved: Any = None, *, found: FoundLatch = FoundLatch(), patience: int = 0) -> LatchKeeper:  # noqa: B008
    return LatchKeeper(HaltLadder(policy(patience), saved), frozenset(), 6.0, wall_ns=lambda: 7, found=found)


def raising(
    trigger: HaltTrigger = T.HEAT, rung: Rung = Rung.HALTED, *, scope: str = "", again: bool = False
) -> RaiseHalt:
    return RaiseHalt(
        at_ns=5,
        bar=7,
        session=1,
        rung=rung,
        trigger=trigger,
        raised_by="risk",
        detail="why",
        scope=scope,
        again=again,
    )


def told(outputs: list[Output]) -> list[tuple[str, LatchChanged]]:
    return [
        (each.to, each.message)
        for each in outputs
        if isinstance(each, Send) and isinstance(each.message, LatchChanged)
    ]


def kinds(outputs: list[Output]) -> list[str]:
    return [type(each).__name__ for each in outputs]


def saved_in(outputs: list[Output]) -> Any:
    """Return the ladder that was made durable last, as a restart would read it."""
    values = None
    for output in outputs:
        if isinstance(output, Persist):
            for record in output.records:
                if getattr(record, "name", "") == LADDER:
                    values = json.loads(json.dumps(record.values))  # type: ignore[union-attr]
    return values


def held(role: str, version: int) -> LatchHeld:
    return LatchHeld(role=role, version=version)


# --- raising ----------------------------------------------------------------------------------------------------------


def test_a_raised_latch_is_durable_then_in_its_file_then_told() -> None:
    """B3: whoever dies between two of these leaves the halt standing."""
    outputs = keeper().handle(raising())
    assert kinds(outputs) == ["Persist", "WriteLatch", "Send", "Send"]
    assert outputs[1] == WriteLatch(Rung.HALTED, 1, "heat: why")
    assert [(to, one.rung, one.lowers, one.version) for to, one in told(outputs)] == [
        (GATEWAY, Rung.HALTED, False, 1),
        (RISK, Rung.HALTED, False, 1),
    ]


def test_the_file_is_written_only_where_the_accounts_rung_moves() -> None:
    latch = keeper()
    latch.handle(raising())
    assert kinds(latch.handle(raising())) == ["Persist", "Send", "Send"]
    assert kinds(latch.handle(raising(scope="book:main"))) == ["Persist", "Send", "Send"]
    assert "WriteLatch" in kinds(latch.handle(raising(T.MANUAL_FLATTEN, Rung.FLATTENING)))
    (closed,) = [
        each
        for each in latch.handle(PositionsClosed(at_ns=1, bar=8, session=1))
        if isinstance(each, WriteLatch)
    ]
    assert closed.rung is Rung.HALTED


def test_a_halt_of_a_part_is_told_beside_an_account_that_trades() -> None:
    latch = keeper()
    outputs = latch.handle(raising(T.MANUAL, scope="symbol:AAPL"))
    assert [(one.rung, one.scoped) for _, one in told(outputs)] == [
        (Rung.ACTIVE, (("symbol:AAPL", Rung.HALTED),))
    ] * 2
    assert latch.state()["scoped"] == [["symbol:AAPL", "HALTED"]]
    assert latch.state()["halts"] == 1


def test_what_is_told_again_is_confirmed_and_not_recorded() -> None:
    latch = keeper()
    latch.handle(raising())
    outputs = latch.handle(raising(again=True))
    assert [(to, one.heard) for to, one in told(outputs)] == [("risk", (T.HEAT,))]
    assert kinds(outputs) == ["Send"]


# --- the file at a start ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("found", [Rung.REDUCING, Rung.HALTED, Rung.FLATTENING])
def test_a_file_above_the_ladder_raises_it_to_that_rung_and_says_who_wrote_it(found: Rung) -> None:
    """Neither kill_switch's own rung nor the configuration decides: who wrote the file did."""
    latch = keeper(found=FoundLatch(found, 0, "ann (process 7): storm"))
    outputs = latch.begun()
    assert kinds(outputs) == ["Persist", "WriteLatch"], "roles are not up yet: they are told once they are"
    assert isinstance(outputs[0], Persist)
    (record,) = [each for each in outputs[0].records if isinstance(each, HaltRecord)]
    assert (record.rung, record.trigger, record.detail) == (
        found,
        T.KILL_SWITCH,
        "latch file: ann (process 7): storm",
    )
    assert [one.rung for _, one in told(latch.announced())] == [found, found]
    assert latch.begun() == [], "once a start"


@pytest.mark.parametrize("found", [Rung.REDUCING, Rung.HALTED, Rung.FLATTENING])
def test_a_file_found_while_it_runs_counts_as_what_it_says_and_gets_our_version(found: Rung) -> None:
    """Also where the ladder stands there already: the file of version 0 must not come back at the next start."""
    latch = keeper()
    latch.handle(raising(T.MANUAL, found))
    outputs = latch.handle(raising(T.KILL_SWITCH, found))
    (file,) = [each for each in outputs if isinstance(each, WriteLatch)]
    assert (file.rung, file.version) == (max(found, Rung.HALTED), 2)
    alone = keeper()
    assert [one.rung for _, one in told(alone.handle(raising(T.KILL_SWITCH, found)))] == [found, found]


def test_a_ladder_above_the_file_writes_it_again() -> None:
    first = keeper()
    saved = saved_in(first.handle(raising()))
    assert keeper(saved).begun() == [WriteLatch(Rung.HALTED, 1, "heat: why")]
    assert keeper(saved, found=FoundLatch(Rung.HALTED, 1)).begun() == []


def test_a_person_who_halts_while_nothing_runs_is_heard_also_where_it_is_halted_already() -> None:
    """What stood may end by rule, at the next session; what the person asked for may not."""
    saved = saved_in(keeper().handle(raising(T.DAILY_LOSS, Rung.HALTED)))
    latch = keeper(saved, found=FoundLatch(Rung.HALTED, 0, "ann: holiday"))
    outputs = latch.begun()
    words, met = "daily_loss: why; kill_switch: latch file: ann: holiday", (Rung.HALTED, "ann: holiday")
    assert WriteLatch(Rung.HALTED, 2, words, met) in outputs
    assert latch.state()["causes"] == ["daily_loss", "kill_switch"]
    later = keeper(saved_in(outputs), found=FoundLatch(Rung.HALTED, 2))
    assert later.begun() == [], "once recorded it does not come back by its file"


@pytest.mark.parametrize("how", ["resume", "review"])
def test_a_file_that_a_crash_left_above_a_ladder_that_was_lowered_follows_the_ladder(how: str) -> None:
    """0014: the store holds who lowered it, or by which rule; a replay goes on as if it had not been killed."""
    latch = keeper(patience=1)
    latch.handle(raising())
    if how == "resume":
        outputs = latch.resume("", "ann: fixed", new_peak=False)
    else:
        outputs = latch.handle(ReviewHalt(at_ns=9, bar=9, session=2))
    later = keeper(saved_in(outputs), found=FoundLatch(Rung.HALTED, 1, "heat: why"))
    assert later.begun() == [WriteLatch(Rung.ACTIVE, 2, "")]
    assert later.rung is Rung.ACTIVE


def test_a_file_newer_than_the_store_halts_the_store_is_not_the_one_that_wrote_it() -> None:
    saved = saved_in(halted().resume("", "ann: fixed", new_peak=False))
    latch = keeper(saved, found=FoundLatch(Rung.HALTED, 3, "manual: storm"))
    latch.begun()
    assert (latch.rung, latch.state()["causes"]) == (Rung.HALTED, ["kill_switch"])


def test_a_file_that_the_gateway_wrote_raises_where_its_halt_is_not_on_record() -> None:
    """The returning coordinator took it for its own, by the ladder's version in it, and removed it."""
    saved = saved_in(halted().resume("", "ann: fixed", new_peak=False))
    latch = keeper(saved, found=FoundLatch(Rung.HALTED, BY_GATEWAY, "no connection"))
    met = (Rung.HALTED, "no connection")
    assert WriteLatch(Rung.HALTED, 3, "kill_switch: latch file: no connection", met) in latch.begun()
    told = replace(raising(T.BROKER_LOST), raised_by=GATEWAY, detail="no connection")
    saved = saved_in(keeper().handle(told))
    later = keeper(saved, found=FoundLatch(Rung.HALTED, BY_GATEWAY, "no connection"))
    assert later.begun() == [WriteLatch(Rung.HALTED, 1, "broker_lost: no connection")]


def test_the_gateways_file_is_written_anew_with_our_version_once_it_is_heard() -> None:
    latch = keeper()
    latch.handle(raising())
    outputs = latch.handle(replace(raising(T.LATE_ARRIVAL), raised_by=GATEWAY))
    assert [each.version for each in outputs if isinstance(each, WriteLatch)] == [2]


# --- a person's resume ------------------------------------------------------------------------------------------------


def halted() -> LatchKeeper:
    latch = keeper()
    latch.handle(raising())
    return latch


def test_a_resume_is_durable_then_out_of_the_file_then_told_to_the_gateway_alone() -> None:
    outputs = halted().resume("", "ann: fixed", new_peak=False)
    assert kinds(outputs) == ["Persist", "WriteLatch", "Send", "SetTimer"]
    assert outputs[1] == WriteLatch(Rung.ACTIVE, 2, "")
    ((to, latch),) = told(outputs)
    assert (to, latch.rung, latch.lowers, latch.version, latch.new_peak) == (
        GATEWAY,
        Rung.ACTIVE,
        True,
        2,
        False,
    )
    assert outputs[3] == SetTimer(HELD_TIMER, 6.0)


def test_the_risk_manager_is_told_once_the_gateway_holds_it_and_then_all_is_done() -> None:
    latch = halted()
    latch.resume("", "ann: fixed", new_peak=True)
    assert latch.handle(held(GATEWAY, 1)) == [], "an older word"
    outputs = latch.handle(held(GATEWAY, 2))
    assert outputs[0] == CancelTimer(HELD_TIMER)
    ((to, news),) = told(outputs)
    assert (to, news.lowers, news.new_peak, news.version) == (RISK, True, True, 2)
    assert outputs[-1] == SetTimer(RISK_TIMER, 6.0)
    assert latch.state()["resuming"]
    outputs = latch.handle(held(RISK, 2))
    assert outputs[-1] == CancelTimer(RISK_TIMER)
    assert not latch.state()["resuming"]
    assert saved_in(outputs)["lowered"] is None, "what every role holds is not told again after a restart"


def test_the_silent_one_is_told_again_and_then_fails() -> None:
    latch = halted()
    latch.resume("", "ann: fixed", new_peak=False)
    for _ in range(2):
        assert [(to, one.lowers) for to, one in told(latch.overdue(HELD_TIMER))] == [(GATEWAY, True)]
    with pytest.raises(Unanswered, match="gateway holds"):
        latch.overdue(HELD_TIMER)
    latch.handle(held(GATEWAY, 2))
    for _ in range(2):
        assert [(to, one.lowers) for to, one in told(latch.overdue(RISK_TIMER))] == [(RISK, True)]
    with pytest.raises(Unanswered, match="risk holds"):
        latch.overdue(RISK_TIMER)
    latch.handle(held(RISK, 2))
    assert latch.overdue(RISK_TIMER) == latch.overdue(HELD_TIMER) == []


def test_a_resume_that_a_crash_cut_short_is_carried_on_by_the_next_start() -> None:
    """Else the gateway would hold the old rung for ever, though the ladder and its record say ACTIVE."""
    saved = saved_in(halted().resume("", "ann: fixed", new_peak=True))
    latch = keeper(saved)
    assert latch.begun() == []
    outputs = latch.announced()
    assert [(to, one.lowers, one.new_peak) for to, one in told(outputs)] == [
        (GATEWAY, True, False),
        (RISK, False, False),
    ]
    ((to, news),) = told(latch.handle(held(GATEWAY, 2)))
    assert (to, news.lowers, news.new_peak) == (RISK, True, True)


def test_a_halt_on_top_of_a_resume_under_way_lowers_and_raises_in_one_word() -> None:
    """The lowering may have been lost: the later word must not leave the gateway on the old, higher rung."""
    latch = halted()
    latch.resume("", "ann: fixed", new_peak=False)
    outputs = latch.handle(raising(T.DAILY_LOSS, Rung.REDUCING))
    assert [(to, one.lowers, one.rung) for to, one in told(outputs)] == [
        (GATEWAY, True, Rung.REDUCING),
        (RISK, False, Rung.REDUCING),
    ]
    latch.handle(held(GATEWAY, 3))
    outputs = latch.handle(raising(T.EXPOSURE, Rung.REDUCING))
    assert [(to, one.lowers) for to, one in told(outputs)] == [(GATEWAY, False), (RISK, True)]


def test_a_review_and_a_resume_at_once_are_each_answered_when_the_gateway_holds() -> None:
    latch = halted()
    latch.handle(ReviewHalt(at_ns=9, bar=9, session=2))
    latch.resume("", "ann: fixed", new_peak=False)
    outputs = latch.handle(held(GATEWAY, 2))
    assert kinds(outputs) == ["CancelTimer", "Send", "Send", "SetTimer"]
    answers = [each.message for each in outputs if isinstance(each, Send)]
    assert isinstance(answers[0], HaltReviewed)
    assert answers[0].rung is Rung.ACTIVE
    assert isinstance(answers[1], LatchChanged)
    assert answers[1].lowers
