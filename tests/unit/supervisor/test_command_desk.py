"""People's commands: refused in words, carried out once a key, audited each, answered with how far they came (B4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.commands import CancelOrders, ClosePosition, Command, CommandDone, ResolveOrder, Verb
from domain.errors import CommandRefused
from domain.halt_messages import LatchCleared, LatchHeld, RaiseHalt
from domain.halts import HaltLadder
from domain.messages import GATEWAY, RISK
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import (
    Answer,
    CancelTimer,
    ClearLatch,
    EndRole,
    Output,
    Persist,
    Send,
    SetTimer,
    WriteLatch,
)
from domain.records import HaltRecord, HaltTrigger, MachineSnapshot, Rung
from supervisor.agents import Ordered
from supervisor.answers import COMMANDS, KEPT
from supervisor.command_desk import CommandDesk, DeskSettings
from supervisor.latch_keeper import LatchKeeper
from tests.unit.domain.test_halts import policy

SECOND = 1_000_000_000
SCOPES = frozenset({"book:main", "symbol:AAPL"})


class FakeAgents:
    """Note what was ordered; knows one strategy."""

    def __init__(self) -> None:
        self.ordered: list[tuple[str, str]] = []

    def _order(self, what: str, role: str) -> Ordered:
        if role != "strategy:a":
            raise CommandRefused(f"there is no role {role}")
        self.ordered.append((what, role))
        return [EndRole(role, 1)], f"{role} {what}"

    def start(self, role: str) -> Ordered:
        return self._order("starts", role)

    def stop(self, role: str) -> Ordered:
        return self._order("stops", role)

    def restart(self, role: str) -> Ordered:
        return self._order("restarts", role)

    def release(self, role: str) -> Ordered:
        return self._order("is released", role)


class FakeEngine:
    """Be an engine that tells a phase and stops once."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def state(self) -> Mapping[str, Any]:
        return {"phase": "running", "rung": "ACTIVE"}

    def stop(self, reason: str) -> list[Output]:
        self.reasons.append(reason)
        return [Persist(())] if len(self.reasons) == 1 else []


class Bench:
    """Own a desk with its latch and sum up what comes out."""

    def __init__(self, ladder: Any = None, answers: Any = None) -> None:
        self.now_s = 1_000.0
        self.latch = LatchKeeper(
            HaltLadder(policy(), ladder),
            frozenset(),
            6.0,
            wall_ns=lambda: int(self.now_s * SECOND),
        )
        self.agents, self.engine = FakeAgents(), FakeEngine()
        self.desk = CommandDesk(
            DeskSettings("SIMULATION", SCOPES), self.latch, self.agents, self.engine, answers
        )
        self.asked = 0
        self.events: list[AuditEvent] = []
        self.records: list[Any] = []

    def send(self, command: Command) -> list[Output]:
        return self._note(self.desk.handle(command))

    def do(self, verb: Verb, *, key: str = "", **arguments: Any) -> list[Output]:
        return self.send(self.command(verb, key=key, **arguments))

    def command(self, verb: Verb, *, key: str = "", **arguments: Any) -> Command:
        self.asked += 1
        return Command(
            request_id=self.asked,
            key=key or f"key{self.asked}",
            verb=verb,
            arguments=arguments,
            who="ann (process 7)",
            reason="storm",
            mode="SIMULATION",
            at_ns=5,
        )

    def tell(self, message: LatchHeld | CommandDone | LatchCleared) -> list[Output]:
        outputs = self.latch.handle(message) if isinstance(message, LatchHeld) else []
        return self._note([*outputs, *self.desk.handle(message)])

    def held(self, role: str = GATEWAY) -> list[Output]:
        return self.tell(LatchHeld(role=role, version=self.latch.version))

    def halt(self, trigger: HaltTrigger, rung: Rung = Rung.HALTED) -> None:
        told = RaiseHalt(
            at_ns=1, bar=1, session=1, rung=rung, trigger=trigger, raised_by="risk", detail="why"
        )
        self._note(self.latch.handle(told))

    def _note(self, outputs: list[Output]) -> list[Output]:
        for output in outputs:
            if isinstance(output, Persist):
                self.records += output.records
                self.events += [each for each in output.records if isinstance(each, AuditEvent)]
        return outputs

    def saved(self, name: str) -> Any:
        found = [each for each in self.records if isinstance(each, MachineSnapshot) and each.name == name]
        return json.loads(json.dumps(found[-1].values)) if found else None

    def interventions(self) -> list[Mapping[str, Any]]:
        return [each.body for each in self.events if each.kind is AuditKind.INTERVENTION]


@pytest.fixture
def bench() -> Bench:
    """Return a desk of an engine that trades."""
    return Bench()


def answered(outputs: list[Output]) -> dict[str, Any]:
    """Return the one answer among `outputs`."""
    (body,) = [dict(each.body) for each in outputs if isinstance(each, Answer)]
    return body


def kinds(outputs: list[Output]) -> list[str]:
    return [type(each).__name__ for each in outputs]


def how_far(body: Mapping[str, Any]) -> tuple[bool, bool, bool, bool]:
    return body["ok"], body["requested"], body["acknowledged"], body["effective"]


# --- halting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "trigger", "rung"),
    [
        (Verb.HALT, HaltTrigger.MANUAL, Rung.HALTED),
        (Verb.REDUCE, HaltTrigger.MANUAL_REDUCE, Rung.REDUCING),
        (Verb.FLATTEN, HaltTrigger.MANUAL_FLATTEN, Rung.FLATTENING),
    ],
)
def test_a_halt_is_durable_with_its_audit_then_in_the_file_then_told_and_answered_once_held(
    bench: Bench, verb: Verb, trigger: HaltTrigger, rung: Rung
) -> None:
    outputs = bench.do(verb)
    assert kinds(outputs) == ["Persist", "WriteLatch", "Send", "Send", "SetTimer"]
    assert isinstance(outputs[0], Persist)
    names = [type(record).__name__ for record in outputs[0].records]
    assert names == ["HaltRecord", "MachineSnapshot", "AuditEvent", "AuditEvent", "MachineSnapshot"]
    record = next(each for each in outputs[0].records if isinstance(each, HaltRecord))
    assert (record.trigger, record.rung, record.detail) == (trigger, rung, "ann (process 7): storm")
    body = answered(bench.held())
    assert how_far(body) == (True, True, True, True)
    assert body["detail"] == f"the account is {rung.name}"


def test_a_halt_that_the_gateway_does_not_confirm_is_answered_in_words_and_still_takes_effect(
    bench: Bench,
) -> None:
    outputs = bench.do(Verb.HALT, key="k")
    assert outputs[-1] == SetTimer("command.k", 2.0)
    assert bench.desk.owns("command.k")
    body = answered(bench.desk.overdue("command.k"))
    assert how_far(body) == (True, True, True, False)
    assert "not confirmed within 2 s" in body["detail"]
    assert kinds(bench.held()) == ["CancelTimer"]
    assert how_far(answered(bench.do(Verb.HALT, key="k"))) == (True, True, True, True)


def test_an_older_word_of_the_gateway_or_one_of_another_role_makes_nothing_effective(bench: Bench) -> None:
    bench.do(Verb.HALT)
    assert bench.tell(LatchHeld(role=GATEWAY, version=0)) == []
    assert bench.held(RISK) == []
    assert answered(bench.held())["effective"]


def test_a_halt_of_a_book_leaves_the_account_trading(bench: Bench) -> None:
    outputs = bench.do(Verb.HALT, scope="book:main")
    assert not [each for each in outputs if isinstance(each, WriteLatch)]
    assert bench.latch.rung is Rung.ACTIVE
    assert answered(bench.held())["detail"] == "book main is HALTED"


# --- resuming ---------------------------------------------------------------------------------------------------------


def test_a_resume_inside_the_cooldown_is_refused_and_each_attempt_audited(bench: Bench) -> None:
    """B4."""
    bench.do(Verb.HALT)
    bench.held()
    bench.now_s += 299.0
    body = answered(bench.do(Verb.RESUME))
    assert how_far(body) == (False, True, False, False)
    assert "may be resumed in 1 s (halt.cooldown_s)" in body["detail"]
    assert bench.latch.rung is Rung.HALTED
    told = bench.interventions()[-1]
    assert (told["who"], told["reason"], told["verb"], told["forced"], told["ok"]) == (
        "ann (process 7)",
        "storm",
        "resume",
        False,
        False,
    )
    bench.now_s += 1.0
    bench.do(Verb.RESUME)
    assert bench.latch.rung is Rung.ACTIVE


def test_a_forced_resume_overrides_the_cooldown_and_says_so(bench: Bench) -> None:
    bench.do(Verb.HALT)
    bench.do(Verb.RESUME, force=True)
    assert bench.latch.rung is Rung.ACTIVE
    told = bench.interventions()[-1]
    assert (told["forced"], told["ok"]) == (True, True)
    assert told["outcome"] == "the account is ACTIVE; ended: manual (forced)"


def test_a_resume_is_effective_once_gateway_and_risk_manager_hold_it(bench: Bench) -> None:
    bench.do(Verb.HALT)
    bench.held()
    bench.do(Verb.RESUME, force=True)
    outputs = bench.held(GATEWAY)
    assert not [each for each in outputs if isinstance(each, Answer)]
    assert how_far(answered(bench.held(RISK))) == (True, True, True, True)


@pytest.mark.parametrize("new_peak", [False, True])
def test_a_drawdown_gets_a_new_peak_only_where_asked_for(bench: Bench, new_peak: bool) -> None:
    bench.halt(HaltTrigger.DRAWDOWN_SEVERE)
    bench.do(Verb.RESUME, force=True, new_peak=new_peak)
    outputs = bench.held(GATEWAY)
    (news,) = [each.message for each in outputs if isinstance(each, Send)]
    assert news.new_peak is new_peak  # type: ignore[union-attr]
    body = answered(bench.held(RISK))
    assert ("the next bar may halt again" in body["detail"]) is not new_peak


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "the account is not halted; halted: book main"),
        ({"scope": "symbol:AAPL"}, "symbol AAPL is not halted"),
        ({"scope": "book:main", "force": True, "new_peak": True}, "no drawdown holds this halt up"),
    ],
)
def test_a_resume_of_what_does_not_stand_is_refused(
    bench: Bench, arguments: dict[str, Any], says: str
) -> None:
    bench.do(Verb.HALT, scope="book:main")
    assert says in answered(bench.do(Verb.RESUME, **arguments))["detail"]
    assert bench.latch.state()["scoped"] == [["book:main", "HALTED"]]


def test_a_latch_file_that_somebody_else_wrote_is_cleared_by_force_alone(bench: Bench) -> None:
    """`halt` writes it where the engine did not answer; the ladder may never hear of that."""
    outputs = bench.do(Verb.RESUME, key="k", force=True)
    assert kinds(outputs) == ["Persist", "ClearLatch", "SetTimer"], "who and why is durable before it goes"
    assert outputs[1] == ClearLatch("k")
    body = answered(bench.tell(LatchCleared(key="k", rung=Rung.HALTED, detail="bob: storm")))
    assert (body["ok"], body["effective"]) == (True, True)
    assert body["detail"] == (
        "the account is not halted; a latch file that somebody else wrote is gone (HALTED: bob: storm)"
    )
    assert kinds(bench.do(Verb.RESUME)) == ["Persist", "Answer"]


def test_a_forced_resume_where_nothing_stands_is_refused_like_any_other(bench: Bench) -> None:
    bench.do(Verb.RESUME, key="k", force=True)
    body = answered(bench.tell(LatchCleared(key="k", rung=Rung.ACTIVE, detail="")))
    assert (body["ok"], body["effective"]) == (False, False)
    assert body["detail"] == "refused: the account is not halted and no latch file stands"
    assert bench.interventions()[-1]["outcome"] == body["detail"]


def test_a_resume_that_a_new_halt_crosses_says_so(bench: Bench) -> None:
    bench.do(Verb.HALT)
    bench.do(Verb.RESUME, force=True)
    bench.halt(HaltTrigger.KILL_SWITCH)
    bench.held()
    assert answered(bench.held(RISK))["detail"] == (
        "the account is ACTIVE; ended: manual (forced); but it is HALTED again: kill_switch"
    )


def test_closing_positions_is_not_broken_off_unless_forced(bench: Bench) -> None:
    bench.do(Verb.FLATTEN)
    bench.now_s += 1_000.0
    assert "still being closed" in answered(bench.do(Verb.RESUME))["detail"]
    bench.do(Verb.RESUME, force=True)
    assert bench.latch.rung is Rung.ACTIVE


# --- once a key -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [Verb.HALT, Verb.RESUME])
def test_what_was_acknowledged_before_a_restart_is_told_again_until_it_took_effect(
    bench: Bench, verb: Verb
) -> None:
    """The coordinator is killed between a command's commit and the word of those who act on it."""
    forced = {"force": True} if verb is Verb.RESUME else {}
    if forced:
        bench.do(Verb.HALT)
        bench.held()
    bench.do(verb, key="k", **forced)
    later = Bench(bench.saved("ladder"), bench.saved(COMMANDS))
    version = later.latch.version
    outputs = later.do(verb, key="k", **forced)
    assert {each.to for each in outputs if isinstance(each, Send)} >= {GATEWAY}
    assert isinstance(outputs[-1], SetTimer)
    answers = [*later.held(), *later.held(RISK)]
    body = answered([each for each in answers if isinstance(each, Answer)])
    assert (how_far(body), body["again"]) == ((True, True, True, True), True)
    assert (later.latch.version, later.events) == (version, [])
    assert answered(later.do(verb, key="k", **forced))["effective"]


def test_a_key_heard_before_changes_nothing_and_is_answered_as_before_also_after_a_restart(
    bench: Bench,
) -> None:
    bench.do(Verb.HALT, key="k")
    first = answered(bench.held())
    version, events = bench.latch.version, len(bench.events)
    again = answered(bench.do(Verb.HALT, key="k"))
    assert {**again, "facts": None} == {**first, "again": True, "facts": None}
    assert (bench.latch.version, len(bench.events)) == (version, events)
    later = Bench(bench.saved("ladder"), bench.saved(COMMANDS))
    assert answered(later.do(Verb.HALT, key="k"))["acknowledged"]
    assert later.latch.version == version


def test_who_asks_twice_while_the_effect_is_awaited_gets_both_answers(bench: Bench) -> None:
    bench.do(Verb.HALT, key="k")
    assert bench.do(Verb.HALT, key="k") == []
    assert sorted(each.request_id for each in bench.held() if isinstance(each, Answer)) == [1, 2]


def test_a_key_that_came_with_another_command_is_refused(bench: Bench) -> None:
    bench.do(Verb.HALT, key="k")
    for verb, arguments in ((Verb.FLATTEN, {}), (Verb.HALT, {"scope": "book:main"})):
        body = answered(bench.do(verb, key="k", **arguments))
        assert not body["ok"]
        assert "used before, for another command: halt" in body["detail"]
    assert bench.latch.version == 1


def test_a_key_that_came_with_another_command_is_on_record_and_keeps_its_first_answer(bench: Bench) -> None:
    """B4: who asked what and why is in the trail, refused or not."""
    bench.do(Verb.HALT, key="k")
    bench.do(Verb.FLATTEN, key="k")
    refused = bench.events[-1]
    assert (refused.key, refused.body["reason"], refused.body["ok"]) == ("flatten.k", "storm", False)
    bench.held()
    assert answered(bench.do(Verb.HALT, key="k"))["again"]


def test_only_so_many_answers_are_kept_the_oldest_goes_first(bench: Bench) -> None:
    for number in range(KEPT + 5):
        bench.do(Verb.AGENT_STOP, key=f"n{number}", role="strategy:b")
    kept = bench.saved(COMMANDS)["answers"]
    assert len(kept) == KEPT
    assert "n4" not in kept
    assert "n5" in kept


def test_what_is_kept_of_a_command_is_bounded_whatever_it_said(bench: Bench) -> None:
    bench.send(replace(bench.command(Verb.HALT, x="y" * 60_000), reason="r" * 60_000))
    assert len(json.dumps(bench.saved(COMMANDS))) < 2_000
    assert len(json.dumps(bench.interventions()[-1])) < 2_000


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"mode": "LIVE"}, "mode: the command is for LIVE, this engine runs in SIMULATION"),
        ({"mode": ""}, "for no mode"),
        ({"reason": " "}, "reason: found none; allowed: 1 to 500 characters"),
        ({"reason": "r" * 501}, "reason: found 501 characters"),
        ({"key": ""}, "key: found ''"),
        ({"arguments": {"scope": "AAPL"}}, "scope: found 'AAPL'; allowed: book:NAME, symbol:SYMBOL"),
        ({"arguments": {"scope": 3}}, "scope: found '3'"),
        ({"arguments": {"scope": "symbol:APPL"}}, "there is no symbol APPL in this engine"),
        ({"arguments": {"force": True}}, "arguments: found force; allowed: scope"),
    ],
)
def test_a_halt_that_is_not_right_is_refused_audited_and_moves_nothing(
    bench: Bench, change: dict[str, Any], says: str
) -> None:
    body = answered(bench.send(replace(bench.command(Verb.HALT), **change)))
    assert how_far(body) == (False, True, False, False)
    assert says in body["detail"]
    assert bench.latch.version == 0
    assert [told["ok"] for told in bench.interventions()] == [False]


@given(
    st.sampled_from([verb for verb in Verb if verb is not Verb.STATUS]),
    st.dictionaries(
        st.sampled_from(
            ["scope", "force", "new_peak", "role", "order_refs", "order_ref", "symbol", "book", "x"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=4,
        ),
    ),
    st.text(max_size=70),
    st.text(max_size=10),
)
def test_whatever_is_asked_is_audited_once_and_answered_or_awaited(
    verb: Verb, arguments: dict[str, Any], key: str, reason: str
) -> None:
    bench = Bench()
    outputs = bench.send(replace(bench.command(verb, **arguments), key=key, reason=reason))
    answers = [each for each in outputs if isinstance(each, Answer)]
    waits = [each for each in outputs if isinstance(each, SetTimer) and bench.desk.owns(each.name)]
    assert len(answers) + len(waits) == 1
    assert len(bench.interventions()) == 1
    for answer in answers:
        json.dumps(answer.body)


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_status_needs_neither_key_nor_reason_nor_mode_and_leaves_no_trace(bench: Bench) -> None:
    command = replace(bench.command(Verb.STATUS), key="", reason="", mode="")
    outputs = bench.send(command)
    assert kinds(outputs) == ["Answer"]
    assert answered(outputs)["phase"] == "running"
    assert how_far(answered(outputs)) == (True, True, True, True)


def test_stop_drains_once(bench: Bench) -> None:
    assert answered(bench.do(Verb.STOP))["detail"] == "stopping in order"
    assert "already" in answered(bench.do(Verb.STOP))["detail"]
    assert bench.engine.reasons[0] == "ann (process 7): storm"


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        (Verb.AGENT_START, "starts"),
        (Verb.AGENT_STOP, "stops"),
        (Verb.AGENT_RESTART, "restarts"),
        (Verb.AGENT_RELEASE, "is released"),
    ],
)
def test_orders_to_agents_are_audited_before_they_are_carried_out(
    bench: Bench, verb: Verb, what: str
) -> None:
    outputs = bench.do(verb, role="strategy:a")
    assert kinds(outputs) == ["Persist", "EndRole", "Answer"]
    assert answered(outputs)["detail"] == f"strategy:a {what}"
    assert bench.agents.ordered == [(what, "strategy:a")]
    assert not answered(bench.do(verb, role="strategy:b"))["ok"]
    assert "role: found nothing" in answered(bench.do(verb))["detail"]


FORWARDED = [
    (
        Verb.ORDER_CANCEL,
        {"order_refs": ["1.a", "1.b", "1.a"]},
        GATEWAY,
        CancelOrders(key="k", order_refs=("1.a", "1.b"), who="ann (process 7)", reason="storm"),
    ),
    (
        Verb.ORDER_RESOLVE,
        {"order_ref": "1.a"},
        GATEWAY,
        ResolveOrder(key="k", order_ref="1.a", who="ann (process 7)", reason="storm"),
    ),
    (
        Verb.POSITION_CLOSE,
        {"symbol": "AAPL"},
        RISK,
        ClosePosition(key="k", book="", symbol="AAPL", who="ann (process 7)", reason="storm"),
    ),
]


@pytest.mark.parametrize(("verb", "arguments", "to", "message"), FORWARDED)
@pytest.mark.parametrize("done", [True, False])
def test_what_a_role_has_to_do_is_answered_with_its_own_word(
    bench: Bench, verb: Verb, arguments: dict[str, Any], to: str, message: Any, done: bool
) -> None:
    outputs = bench.do(verb, key="k", **arguments)
    assert kinds(outputs) == ["Persist", "Send", "SetTimer"]
    assert outputs[1] == Send(to, message, True)
    word = CommandDone(role=to, key="k", done=done, detail="so it is", facts={"n": 1})
    outputs = bench.tell(word)
    assert kinds(outputs) == ["Persist", "CancelTimer", "Answer"]
    assert how_far(answered(outputs)) == (done, True, True, done)
    assert answered(outputs)["facts"] == {"n": 1}
    assert [(told["verb"], told["ok"]) for told in bench.interventions()] == [
        (verb.value, True),
        (verb.value, done),
    ]
    assert bench.tell(word) == [], "told twice"
    assert how_far(answered(bench.do(verb, key="k", **arguments))) == (done, True, True, done)


def test_a_word_that_comes_late_is_kept_for_who_asks_again(bench: Bench) -> None:
    bench.do(Verb.POSITION_CLOSE, key="k", symbol="AAPL")
    assert how_far(answered(bench.desk.overdue("command.k"))) == (True, True, True, False)
    assert kinds(bench.tell(CommandDone(role=RISK, key="k", done=True, detail="closed", facts={}))) == [
        "Persist",
        "CancelTimer",
    ]
    assert answered(bench.do(Verb.POSITION_CLOSE, key="k", symbol="AAPL"))["detail"] == "closed"


def test_what_a_role_did_not_answer_before_a_restart_is_asked_of_it_again_with_its_key(bench: Bench) -> None:
    bench.do(Verb.ORDER_RESOLVE, key="k", order_ref="1.a")
    later = Bench(bench.saved("ladder"), bench.saved(COMMANDS))
    assert isinstance(later.do(Verb.ORDER_RESOLVE, key="k", order_ref="1.a")[1], Send)
    later.tell(CommandDone(role=GATEWAY, key="k", done=True, detail="void", facts={}))
    latest = Bench(later.saved("ladder"), later.saved(COMMANDS))
    assert kinds(latest.do(Verb.ORDER_RESOLVE, key="k", order_ref="1.a")) == ["Answer"]


def test_a_timer_that_outlived_its_command_says_nothing(bench: Bench) -> None:
    bench.do(Verb.HALT, key="k")
    assert CancelTimer("command.k") in bench.held()
    assert bench.desk.overdue("command.k") == []
