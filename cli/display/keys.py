"""Understand what is typed: bytes to keys, and keys to what a person asks for. Pure: no terminal is touched here."""

from __future__ import annotations

from codecs import getincrementaldecoder
from enum import StrEnum
from typing import NamedTuple

LONGEST_REASON = 120
"""Characters of a reason that are taken; it goes into the audit trail."""

_ESCAPE = "\x1b"


class Stroke(StrEnum):
    """Name the kinds of keys that mean something."""

    TEXT = "text"
    ENTER = "enter"
    ESCAPE = "escape"
    ERASE = "erase"
    CLEAR = "clear"


class Key(NamedTuple):
    """Be one key; `text` is the character of a TEXT."""

    stroke: Stroke
    text: str = ""


class KeyDecoder:
    """Turn the bytes of a terminal into keys; arrows, function keys and the like are dropped whole."""

    def __init__(self) -> None:
        """Start between two keys."""
        self._decode = getincrementaldecoder("utf-8")("ignore").decode
        self._sequence = False

    def feed(self, data: bytes) -> list[Key]:
        """Return the keys that `data`, as it was read, completes. ESC at its end is the key itself."""
        keys: list[Key] = []
        text = self._decode(data)
        for at, character in enumerate(text):
            if self._sequence:  # ESC [ or ESC O, then parameters, then one character from @ on
                self._sequence = character in "[O" or not "@" <= character <= "~"
            elif character == _ESCAPE and text[at + 1 : at + 2] in ("[", "O"):
                self._sequence = True
            elif (key := _key(character)) is not None:
                keys.append(key)
        return keys


def _key(character: str) -> Key | None:
    match character:
        case "\r" | "\n":
            return Key(Stroke.ENTER)
        case "\x1b" | "\x07":
            return Key(Stroke.ESCAPE)
        case "\x7f" | "\x08":
            return Key(Stroke.ERASE)
        case "\x15":
            return Key(Stroke.CLEAR)
        case _:
            return Key(Stroke.TEXT, character) if character.isprintable() else None


class Wish(StrEnum):
    """Name what a person may ask for."""

    HALT = "halt"
    RESUME = "resume"
    QUIT = "quit"


class Asked(NamedTuple):
    """Be what a person has asked for and confirmed, with the reason where one is needed."""

    wish: Wish
    reason: str


class Step(StrEnum):
    """Name where a dialogue stands."""

    IDLE = "idle"
    CONFIRM = "confirm"
    REASON = "reason"


_WISHES = {"h": Wish.HALT, "r": Wish.RESUME, "q": Wish.QUIT}


class Dialogue:
    """Ask once more before anything is done, and for a reason before halt and resume: no single key does anything."""

    def __init__(self) -> None:
        """Wait for the first key."""
        self.step = Step.IDLE
        self.wish = Wish.QUIT
        self.typed = ""

    def press(self, key: Key) -> Asked | None:
        """Take a key; return what it completes."""
        if key.stroke is Stroke.ESCAPE:
            self._leave()
        elif self.step is Step.IDLE:
            self._choose(key)
        elif self.step is Step.CONFIRM:
            return self._confirm(key)
        else:
            return self._write(key)
        return None

    def _leave(self) -> None:
        self.step, self.typed = Step.IDLE, ""

    def _choose(self, key: Key) -> None:
        wish = _WISHES.get(key.text.lower())
        if wish is not None:
            self.step, self.wish = Step.CONFIRM, wish

    def _confirm(self, key: Key) -> Asked | None:
        """Take y or n; any other key is no yes, and asks on."""
        answer = key.text.lower()
        if answer == "n":
            self._leave()
        elif answer == "y" and self.wish is Wish.QUIT:
            self._leave()
            return Asked(Wish.QUIT, "")
        elif answer == "y":
            self.step = Step.REASON
        return None

    def _write(self, key: Key) -> Asked | None:
        match key.stroke:
            case Stroke.TEXT:
                self.typed = (self.typed + key.text)[:LONGEST_REASON]
            case Stroke.ERASE:
                self.typed = self.typed[:-1]
            case Stroke.CLEAR:
                self.typed = ""
            case Stroke.ENTER if self.typed.strip():
                asked = Asked(self.wish, self.typed.strip())
                self._leave()
                return asked
            case _:
                pass
        return None
