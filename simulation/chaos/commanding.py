"""Give the engine a person's commands, as the control socket would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.commands import Command, Verb
from domain.ports import Mailbox

COMMANDS = (
    "halt",
    "halt symbol:AAA",
    "halt book:side",
    "reduce",
    "flatten",
    "resume",
    "resume",
    "resume",
    "resume symbol:AAA",
    "resume book:side",
    "agent_restart risk",
    "agent_restart gateway",
    "agent_restart feed",
    "agent_restart strategy:calm",
    "agent_stop strategy:loud",
    "agent_start strategy:loud",
    "position_close BBB",
)
"""Commands that are drawn: a verb and what it is about. A halt by hand ends by hand, so resumes are commoner."""


def persons_command(words: str, number: int, mode: str, at_ns: int) -> Command:
    """Return the command that `words` name; each `number` is another one."""
    name, _, about = words.partition(" ")
    return Command(
        request_id=number,
        key=f"chaos-{number}",
        verb=Verb(name),
        arguments=_arguments(Verb(name), about),
        who="fault search",
        reason="says the fault search",
        mode=mode,
        at_ns=at_ns,
    )


def _arguments(verb: Verb, about: str) -> Mapping[str, Any]:
    match verb:
        case Verb.RESUME:
            return {"scope": about, "force": True}
        case Verb.HALT:
            return {"scope": about}
        case Verb.POSITION_CLOSE:
            return {"symbol": about}
        case Verb.AGENT_RESTART | Verb.AGENT_STOP | Verb.AGENT_START:
            return {"role": about}
        case _:
            return {}


class SilentControl:
    """Be a control socket at which nobody waits for answers (port: `domain.ports.ControlPort`)."""

    def open(self, mailbox: Mailbox) -> None:
        """Listen to nobody: the schedule commands."""

    def answer(self, request_id: int, body: Mapping[str, Any]) -> None:
        """Keep nothing."""

    def close(self) -> None:
        """Stop listening."""
