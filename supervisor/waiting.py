"""Hold a command whose effect somebody still has to tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.commands import Verb

RESUME, DONE = 0, -1
"""In the place of a version: a resume, which gateway and risk manager must hold; a `CommandDone`."""

_MOVES = frozenset({Verb.HALT, Verb.REDUCE, Verb.FLATTEN, Verb.RESUME})


@dataclass(slots=True)
class Waiting:
    """Be a command whose effect is not told yet, and which requests want to hear of it.

    `version` is the latch's that the gateway must hold, or `RESUME` or `DONE`.
    """

    body: dict[str, Any]
    version: int
    requests: list[int] = field(default_factory=list)


def lacks_effect(known: Mapping[str, Any]) -> bool:
    """Say whether a command that moved the latch was acknowledged and is not known to have taken effect."""
    moved = known["verb"] in {verb.value for verb in _MOVES}
    return moved and bool(known["ok"]) and not known["effective"] and "open" not in known
