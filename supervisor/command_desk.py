"""Say what follows from people's commands: refusals in words, halts, resumes, orders to roles; each audited, each once.

The answer of a command says how far it came: requested, acknowledged (durable and announced) and effective (whoever
has to act on it said so). Nothing here reads a clock; a timer ends the wait for the effect, never the effect itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, assert_never

from domain.commands import CancelOrders, ClosePosition, Command, CommandDone, ResolveOrder, Verb
from domain.errors import CommandRefused
from domain.halt_causes import scope_words
from domain.halt_messages import LatchCleared, LatchHeld, RaiseHalt
from domain.halts import RUNG_OF
from domain.messages import GATEWAY, RISK
from domain.outputs import Answer, CancelTimer, Output, Persist, Send, SetTimer
from domain.records import HaltTrigger, Record, Rung
from supervisor.agents import Agents, Ordered
from supervisor.answers import Answers, answer, asked_event, cleared, done_event
from supervisor.command_arguments import LONGEST_REASON, read_arguments
from supervisor.latch_keeper import PERSON, LatchKeeper
from supervisor.waiting import DONE, RESUME, Waiting, lacks_effect

_TIMER = "command."

_RAISES = {
    Verb.HALT: HaltTrigger.MANUAL,
    Verb.REDUCE: HaltTrigger.MANUAL_REDUCE,
    Verb.FLATTEN: HaltTrigger.MANUAL_FLATTEN,
}
_DRAWDOWNS = frozenset({HaltTrigger.DRAWDOWN, HaltTrigger.DRAWDOWN_SEVERE})


class DeskSettings(NamedTuple):
    """Say in which mode the engine runs, which books and symbols there are, and how long an answer waits.

    `scopes` are named "book:NAME" and "symbol:SYM"; where there are none any is taken. `effect_s` is the wait for a
    command's effect, in seconds of the control clock.
    """

    mode: str = ""
    scopes: frozenset[str] = frozenset()
    effect_s: float = 2.0


NO_DESK = DeskSettings()
"""Is for an engine that nobody commands."""


class Engine(Protocol):
    """Be what the desk tells of, and stops."""

    def state(self) -> Mapping[str, Any]:
        """Return what `breakwater status` shows, JSON-able."""
        ...

    def stop(self, reason: str) -> list[Output]:
        """Stop in order; nothing follows where that is under way."""
        ...


class CommandDesk:
    """Take commands and say what follows."""

    def __init__(
        self,
        settings: DeskSettings,
        latch: LatchKeeper,
        agents: Agents,
        engine: Engine,
        saved: Mapping[str, Any] | None = None,
    ) -> None:
        """Work on `latch`, `agents` and `engine`; `saved` are the answers of before a restart."""
        self._settings, self._latch, self._agents, self._engine = settings, latch, agents, engine
        self._answers = Answers(saved)
        self._waiting: dict[str, Waiting] = {}

    def handle(self, message: Command | CommandDone | LatchHeld | LatchCleared) -> list[Output]:
        """Return what follows; a `LatchHeld` is told here once the latch's keeper has had it."""
        match message:
            case Command():
                return self._command(message)
            case CommandDone():
                return self._done(message)
            case LatchHeld():
                return self._held(message)
            case LatchCleared():
                return self._done(cleared(message))
            case _ as unreachable:
                assert_never(unreachable)

    def owns(self, timer: str) -> bool:
        """Say whether `timer` ends the wait for a command's effect."""
        return timer.startswith(_TIMER)

    def overdue(self, timer: str) -> list[Output]:
        """Answer those who wait for an effect that did not come in time, and go on without them."""
        waiting = self._waiting.get(timer.removeprefix(_TIMER))
        if waiting is None:
            return []
        late = (
            f"not confirmed within {self._settings.effect_s:g} s: ask again, or look at `breakwater status`"
        )
        body = {**waiting.body, "detail": f"{waiting.body['detail']}; {late}"}
        requests, waiting.requests = waiting.requests, []
        return [Answer(request, body) for request in requests]

    # --- a command ----------------------------------------------------------------------------------------------------

    def _command(self, command: Command) -> list[Output]:
        if command.verb is Verb.STATUS:
            body = {**answer(command, ok=True, detail="", effective=True), **self._engine.state()}
            return [Answer(command.request_id, body)]
        waiting = self._waiting.get(command.key)
        try:
            known = self._answers.find(command)
            if known is not None and known["ok"] and waiting is not None and waiting.requests:
                waiting.requests.append(command.request_id)
                return []
            if known is not None and waiting is None and lacks_effect(known):
                return self._look_again(command, known)
            # What a role was asked before a restart of ours is asked again: it knows the key.
            if known is not None and not (known.get("open") and waiting is None):
                return [Answer(command.request_id, known)]
            arguments = read_arguments(command, self._settings.mode, self._settings.scopes)
            return self._carry_out(command, arguments)
        except CommandRefused as refused:
            return self._answered(command, [], answer(command, ok=False, detail=f"refused: {refused}"))

    def _carry_out(self, command: Command, arguments: Mapping[str, Any]) -> list[Output]:
        verb = command.verb
        match verb:
            case Verb.HALT | Verb.REDUCE | Verb.FLATTEN:
                return self._raise(command, _RAISES[verb], arguments.get("scope", ""))
            case Verb.RESUME:
                return self._resume(command, **arguments)
            case Verb.STOP:
                outputs = self._engine.stop(f"{command.who}: {command.reason}")
                detail = "stopping in order" if outputs else "it is stopping, or has stopped, already"
                return self._answered(
                    command, outputs, answer(command, ok=True, detail=detail, effective=True)
                )
            case Verb.AGENT_START | Verb.AGENT_STOP | Verb.AGENT_RESTART | Verb.AGENT_RELEASE:
                outputs, detail = self._order(verb)(arguments["role"])
                return self._answered(command, outputs, answer(command, ok=True, detail=detail))
            case Verb.ORDER_CANCEL | Verb.ORDER_RESOLVE | Verb.POSITION_CLOSE:
                return self._forward(command, arguments)
            case Verb.STATUS:
                return []
            case _ as unreachable:
                assert_never(unreachable)

    def _order(self, verb: Verb) -> Callable[[str], Ordered]:
        agents = self._agents
        orders: dict[Verb, Callable[[str], Ordered]] = {
            Verb.AGENT_START: agents.start,
            Verb.AGENT_STOP: agents.stop,
            Verb.AGENT_RESTART: agents.restart,
            Verb.AGENT_RELEASE: agents.release,
        }
        return orders[verb]

    def _raise(self, command: Command, trigger: HaltTrigger, scope: str) -> list[Output]:
        raised = RaiseHalt(
            at_ns=0,
            bar=-1,
            session=0,
            rung=RUNG_OF[trigger],
            trigger=trigger,
            raised_by=PERSON,
            detail=_said(command),
            scope=scope,
        )
        outputs = self._latch.raise_latch(raised)
        ladder = self._latch.ladder
        rung = dict(ladder.scoped)[scope] if scope else ladder.rung
        body = answer(command, ok=True, detail=f"{scope_words(scope)} is {rung.name}")
        return self._await(command, outputs, body, ladder.version)

    def _resume(self, command: Command, *, scope: str, force: bool, new_peak: bool) -> list[Output]:
        ladder, what = self._latch.ladder, scope_words(scope)
        causes = ladder.causes_of(scope)
        left_s = ladder.cooldown_left_s(scope, self._latch.wall_ns())
        if not causes and not scope and force:
            body = {**answer(command, ok=True, detail="looks whether a latch file stands"), "open": True}
            return self._await(command, self._latch.clear_file(command.key), body, DONE)
        if not causes:
            raise CommandRefused(f"{what} is not halted{self._halted_instead()}")
        if new_peak and (scope or _DRAWDOWNS.isdisjoint(causes)):
            raise CommandRefused("new_peak: no drawdown holds this halt up; allowed: without it")
        if left_s > 0.0 and not force:
            raise CommandRefused(
                f"{what} may be resumed in {left_s:,.0f} s (halt.cooldown_s); --force does it now"
            )
        if not scope and ladder.rung is Rung.FLATTENING and not force:
            raise CommandRefused(
                "positions are still being closed; wait for HALTED, or --force ends the closing"
            )
        ended = ", ".join(trigger.value for trigger in sorted(causes))
        drawdown = not _DRAWDOWNS.isdisjoint(causes)
        outputs = self._latch.resume(scope, _said(command), new_peak=new_peak)
        detail = f"{what} is ACTIVE; ended: {ended}" + (" (forced)" if left_s > 0.0 else "")
        if drawdown and not new_peak:
            detail += "; the reference peak stays, so the next bar may halt again: --new-peak sets it anew"
        return self._await(command, outputs, answer(command, ok=True, detail=detail), RESUME)

    def _halted_instead(self) -> str:
        others = [scope_words(scope) for scope, _ in self._latch.ladder.scoped]
        return f"; halted: {', '.join(others)}" if others else ""

    def _halted_again(self) -> str:
        active = ", ".join(trigger.value for trigger in self._latch.ladder.active)
        return f"; but it is {self._latch.rung.name} again: {active}" if active else ""

    def _forward(self, command: Command, arguments: Mapping[str, Any]) -> list[Output]:
        said: dict[str, Any] = {"key": command.key, "who": command.who, "reason": command.reason}
        send: Output
        if command.verb is Verb.ORDER_CANCEL:
            send, to = Send(GATEWAY, CancelOrders(**arguments, **said), True), GATEWAY
        elif command.verb is Verb.ORDER_RESOLVE:
            send, to = Send(GATEWAY, ResolveOrder(**arguments, **said), True), GATEWAY
        else:
            send, to = Send(RISK, ClosePosition(**arguments, **said), True), RISK
        body = {**answer(command, ok=True, detail=f"asked the {to}"), "open": True}
        return self._await(command, [send], body, DONE)

    # --- answers ------------------------------------------------------------------------------------------------------

    def _answered(self, command: Command, outputs: Sequence[Output], body: dict[str, Any]) -> list[Output]:
        return [*self._kept(command, outputs, body), Answer(command.request_id, body)]

    def _await(
        self, command: Command, outputs: Sequence[Output], body: dict[str, Any], version: int
    ) -> list[Output]:
        self._waiting[command.key] = Waiting(body, version, [command.request_id])
        timer = SetTimer(f"{_TIMER}{command.key}", self._settings.effect_s)
        return [*self._kept(command, outputs, body), timer]

    def _kept(self, command: Command, outputs: Sequence[Output], body: dict[str, Any]) -> list[Output]:
        """Make the answer and its audit event durable in one commit with what the command did, before the rest."""
        records: tuple[Record, ...] = (asked_event(command, body),)
        if command.key:
            records += (self._answers.keep(body),)
        first, *rest = outputs or [Persist(())]
        if isinstance(first, Persist):
            return [Persist((*first.records, *records)), *rest]
        return [Persist(records), first, *rest]

    def _held(self, held: LatchHeld) -> list[Output]:
        outputs: list[Output] = []
        for key, waiting in tuple(self._waiting.items()):
            raised = waiting.version > 0 and held.role == GATEWAY and held.version >= waiting.version
            if raised or (waiting.version == RESUME and not self._latch.resuming):
                body = {**waiting.body, **self._answers.took_effect(key)}
                if waiting.version == RESUME and not body["arguments"].get("scope"):
                    body["detail"] += self._halted_again()
                outputs += self._effective(key, body)
        return outputs

    def _done(self, done: CommandDone) -> list[Output]:
        waiting = self._waiting.get(done.key)
        if waiting is None or waiting.version != DONE:
            return []  # told twice, or of before a restart of ours
        body = {
            **waiting.body,
            "ok": done.done,
            "effective": done.done,
            "detail": done.detail[:LONGEST_REASON],
            "facts": dict(done.facts),
            "open": False,
        }
        return [
            Persist((done_event(body, done.role), self._answers.keep(body))),
            *self._effective(done.key, body),
        ]

    def _look_again(self, command: Command, known: Mapping[str, Any]) -> list[Output]:
        """Wait anew for the effect of what was done before a restart of ours: say again where the latch stands."""
        version = RESUME if command.verb is Verb.RESUME else self._latch.version
        self._waiting[command.key] = Waiting(dict(known), version, [command.request_id])
        timer = SetTimer(f"{_TIMER}{command.key}", self._settings.effect_s)
        return [*self._latch.announced(), timer]

    def _effective(self, key: str, body: Mapping[str, Any]) -> list[Output]:
        waiting = self._waiting.pop(key)
        answers = [Answer(request, {**body, "effective": body["ok"]}) for request in waiting.requests]
        return [CancelTimer(f"{_TIMER}{key}"), *answers]


def _said(command: Command) -> str:
    return f"{command.who}: {command.reason}"
