"""Remember what was answered to people's commands, by key, so that a command heard twice is carried out once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from domain.commands import Command, CommandDone
from domain.errors import CommandRefused
from domain.halt_messages import LatchCleared
from domain.messages import COORDINATOR
from domain.outbox import AuditEvent, AuditKind
from domain.records import MachineSnapshot, Rung
from supervisor.command_arguments import LONGEST_KEY, LONGEST_REASON

COMMANDS = "commands"
"""Name of the snapshot that keeps the answers."""

KEPT = 1_000
_LONGEST = 2_000
"""Characters of arguments or facts that are kept with an answer; longer ones are told once and then left out."""


class Answers:
    """Keep the last answers with the commands they answered; the oldest goes first."""

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        """Begin empty, or with `saved`, the values of a snapshot."""
        self._by_key: dict[str, dict[str, Any]] = dict((saved or {}).get("answers", {}))

    def find(self, command: Command) -> Mapping[str, Any] | None:
        """Return what was answered to the key of `command`, None for one never heard.

        Raises CommandRefused for a key that came with another command before.
        """
        body = self._by_key.get(command.key)
        if body is None:
            return None
        if body["asked"] != _digest(command):
            raise CommandRefused(f"key: it was used before, for another command: {body['verb']}")
        return {**body, "again": True}

    def keep(self, body: Mapping[str, Any]) -> MachineSnapshot:
        """Keep an answer under its key, unless that is another command's; returns the snapshot to make durable."""
        kept = {**body, "facts": _short(body.get("facts", {}))}
        if self._by_key.get(kept["key"], kept)["asked"] == kept["asked"]:
            self._by_key.pop(kept["key"], None)
            self._by_key[kept["key"]] = kept
        while len(self._by_key) > KEPT:
            del self._by_key[next(iter(self._by_key))]
        return MachineSnapshot(name=COMMANDS, bar=-1, at_ns=0, values={"answers": dict(self._by_key)})

    def took_effect(self, key: str) -> Mapping[str, Any]:
        """Note that the command of `key` is in effect everywhere, and return its answer."""
        body = self._by_key.get(key, {})
        body["effective"] = True
        return body


def answer(command: Command, *, ok: bool, detail: str, effective: bool = False) -> dict[str, Any]:
    """Return the body that answers `command`: acknowledged where it is `ok`, refused otherwise."""
    return {
        "ok": ok,
        "requested": True,
        "acknowledged": ok,
        "effective": effective,
        "detail": detail,
        "verb": command.verb.value,
        "key": command.key[:LONGEST_KEY],
        "arguments": _short(command.arguments),
        "who": command.who,
        "asked": _digest(command),
    }


def cleared(message: LatchCleared) -> CommandDone:
    """Return what came of a resume of an account that is not halted: done where a latch file stood."""
    stood = message.rung > Rung.ACTIVE
    said = f"{message.rung.name}: {message.detail}" if message.detail else message.rung.name
    words = (
        f"the account is not halted; a latch file that somebody else wrote is gone ({said})"
        if stood
        else "refused: the account is not halted and no latch file stands"
    )
    return CommandDone(role=COORDINATOR, key=message.key, done=stood, detail=words, facts={})


def asked_event(command: Command, body: Mapping[str, Any]) -> AuditEvent:
    """Return the audit event of a command, refused or not: who, why, what, and what came of it (requirement B4)."""
    told = {
        "verb": command.verb.value,
        "who": command.who,
        "reason": command.reason[:LONGEST_REASON],
        "arguments": body["arguments"],
        "forced": command.arguments.get("force") is True,
        "outcome": body["detail"],
        "ok": body["ok"],
        "asked_ns": command.at_ns,
    }
    return _event(f"{command.verb.value}.{body['key']}", told)


def done_event(body: Mapping[str, Any], role: str) -> AuditEvent:
    """Return the audit event of what a role did with a command."""
    names = ("verb", "who", "arguments", "ok", "facts")
    told = {**{name: body[name] for name in names}, "outcome": body["detail"], "told_by": role}
    return _event(f"{body['verb']}.{body['key']}.done", told)


def _event(key: str, body: Mapping[str, Any]) -> AuditEvent:
    return AuditEvent(AuditKind.INTERVENTION, 0, -1, key, False, body)


def _digest(command: Command) -> str:
    """Return what tells one command from another that came under the same key."""
    text = json.dumps([command.verb.value, dict(command.arguments)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()[:16]


def _short(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `values` as they come back from JSON, or in their place how long they are."""
    text = json.dumps(dict(values), sort_keys=True, default=str)
    kept: Mapping[str, Any] = json.loads(text) if len(text) <= _LONGEST else {"characters": len(text)}
    return kept
