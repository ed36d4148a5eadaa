"""Owe the exits that people asked for: a position that is to be closed is left at the next bar, votes or not.

A command counts once: its key is kept with the answer, which is given again when the command comes again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from domain.commands import ClosePosition, CommandDone
from domain.messages import RISK

ANSWERS_KEPT = 100


class Holding(NamedTuple):
    """Be a book's position in the symbol asked about."""

    book: str
    lots: int


class Closings:
    """Know which positions are to be closed, and why."""

    def __init__(self, saved: Mapping[str, Any]) -> None:
        """Go on from `saved` (of `to_values`)."""
        self._owed: dict[tuple[str, str], str] = {
            (book, symbol): why for book, symbol, why in saved.get("owed", ())
        }
        self._answers: dict[str, tuple[bool, str]] = {
            key: (done, detail) for key, done, detail in saved.get("answers", ())
        }

    def __bool__(self) -> bool:
        """Say whether anything is owed."""
        return bool(self._owed)

    def answered(self, key: str) -> CommandDone | None:
        """Return what the command `key` was answered with, None for one that never came."""
        told = self._answers.get(key)
        return None if told is None else _done(key, *told)

    def ask(self, command: ClosePosition, holdings: Iterable[Holding]) -> CommandDone:
        """Owe an exit to each of `holdings`, all that the command means, and answer it."""
        held = list(holdings)
        for book, _ in held:
            self._owed[book, command.symbol] = f"closed by {command.who}: {command.reason}"
        if held:
            positions = ", ".join(f"{lots} lots of {command.symbol} in {book}" for book, lots in held)
            told = (True, f"left at the next bar of {command.symbol}: {positions}")
        else:
            told = (
                False,
                f"{command.book or 'no book'} holds {'no ' if command.book else ''}{command.symbol}",
            )
        self._answers[command.key] = told
        if len(self._answers) > ANSWERS_KEPT:
            del self._answers[next(iter(self._answers))]
        return _done(command.key, *told)

    def owed(self, book: str, symbol: str) -> str:
        """Return why the position is to be closed, "" where it is not."""
        return self._owed.get((book, symbol), "")

    def settle(self, lots_of: Callable[[str, str], int]) -> None:
        """Owe nothing any more where nothing is held any more."""
        for book, symbol in [place for place in self._owed if not lots_of(*place)]:
            del self._owed[book, symbol]

    def to_values(self) -> dict[str, Any]:
        """Return the state to persist, JSON-able."""
        return {
            "owed": [(book, symbol, why) for (book, symbol), why in sorted(self._owed.items())],
            "answers": [(key, done, detail) for key, (done, detail) in self._answers.items()],
        }


def _done(key: str, done: bool, detail: str) -> CommandDone:
    return CommandDone(role=RISK, key=key, done=done, detail=detail, facts={})
