"""Read the arguments of a person's command: each known, of its kind and within bounds, or the command is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from domain.commands import Command, Verb
from domain.errors import CommandRefused
from domain.halt_causes import scope_words

LONGEST_REASON = 500
LONGEST_KEY = 64
MOST_ORDERS = 50
"""Orders that one command may cancel."""

_NAME = re.compile(r"[^\x00-\x20\x7f]{1,200}")
_SCOPE = re.compile(r"(book|symbol):[^\x00-\x20\x7f]{1,190}")


def _text(value: object, what: str, pattern: re.Pattern[str] = _NAME) -> str:
    if isinstance(value, str) and pattern.fullmatch(value):
        return value
    raise CommandRefused(
        f"{what}: found {str(value)[:80]!r}; allowed: a name of up to 200 characters, no blank"
    )


def _flag(value: object, what: str) -> bool:
    if isinstance(value, bool):
        return value
    raise CommandRefused(f"{what}: found {str(value)[:80]!r}; allowed: true or false")


def _scope(value: object, what: str) -> str:
    if value == "" or (isinstance(value, str) and _SCOPE.fullmatch(value)):
        return str(value)
    raise CommandRefused(f"{what}: found {str(value)[:80]!r}; allowed: book:NAME, symbol:SYMBOL, or nothing")


def _book(value: object, what: str) -> str:
    return "" if value == "" else _text(value, what)


def _orders(value: object, what: str) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and 1 <= len(value) <= MOST_ORDERS:
        return tuple(dict.fromkeys(_text(each, what) for each in value))
    raise CommandRefused(f"{what}: found {str(value)[:80]!r}; allowed: 1 to {MOST_ORDERS} order references")


Reader = Callable[[object, str], Any]
_NEEDED = object()
_ROLE: dict[str, tuple[Reader, Any]] = {"role": (_text, _NEEDED)}

ARGUMENTS: Mapping[Verb, Mapping[str, tuple[Reader, Any]]] = {
    Verb.STATUS: {},
    Verb.HALT: {"scope": (_scope, "")},
    Verb.REDUCE: {},
    Verb.FLATTEN: {},
    Verb.RESUME: {"scope": (_scope, ""), "force": (_flag, False), "new_peak": (_flag, False)},
    Verb.STOP: {},
    Verb.AGENT_START: _ROLE,
    Verb.AGENT_STOP: _ROLE,
    Verb.AGENT_RESTART: _ROLE,
    Verb.AGENT_RELEASE: _ROLE,
    Verb.ORDER_CANCEL: {"order_refs": (_orders, _NEEDED)},
    Verb.ORDER_RESOLVE: {"order_ref": (_text, _NEEDED)},
    Verb.POSITION_CLOSE: {"symbol": (_text, _NEEDED), "book": (_book, "")},
}
"""Of each verb the arguments, with how each is read and what stands where it is not given."""


def read_arguments(command: Command, mode: str, scopes: Collection[str]) -> dict[str, Any]:
    """Return the arguments of `command`; raises CommandRefused for them, its mode, its key or its reason.

    `scopes` are the books and symbols there are; where none are known any is taken.
    """
    if not 1 <= len(command.key) <= LONGEST_KEY:
        raise CommandRefused(f"key: found {command.key[:80]!r}; allowed: 1 to {LONGEST_KEY} characters")
    if command.mode != mode:
        raise CommandRefused(
            f"mode: the command is for {command.mode or 'no mode'}, this engine runs in {mode}"
        )
    if not 1 <= len(command.reason.strip()) <= LONGEST_REASON:
        length = f"{len(command.reason)} characters" if command.reason.strip() else "none"
        raise CommandRefused(f"reason: found {length}; allowed: 1 to {LONGEST_REASON} characters")
    known = ARGUMENTS[command.verb]
    if unknown := sorted(set(command.arguments) - set(known)):
        names = ", ".join(known) or "none"
        raise CommandRefused(f"arguments: found {', '.join(unknown)[:200]}; allowed: {names}")
    found: dict[str, Any] = {}
    for name, (read, otherwise) in known.items():
        value = command.arguments.get(name, otherwise)
        if value is _NEEDED:
            raise CommandRefused(f"{name}: found nothing; {command.verb.value} needs it")
        found[name] = read(value, name)
    scope = found.get("scope", "")
    if scope and scopes and scope not in scopes:
        raise CommandRefused(f"scope: there is no {scope_words(scope)} in this engine")
    return found
