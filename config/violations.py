"""Name what is wrong with a configuration: one violation per fault, and the refusal that lists them all."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from domain.errors import ConfigurationError

LONGEST_SHOWN = 80


class Violation(NamedTuple):
    """Be one fault: where it is, what was found there, what is allowed and what to do.

    `file` is a file's name (or "environment"), `key` a path such as `position_size.min` or `books[0].share` ("" for the
    file as a whole), `line` counts from 1 (0 where no line applies).
    """

    file: str
    key: str
    found: str
    allowed: str
    line: int = 0

    def __str__(self) -> str:
        """Return the fault on one line, as a person reads it."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        where = f"{place}: {self.key}" if self.key else place
        return _one_line(f"{where}: found {self.found}; {self.allowed}")


class InvalidConfiguration(ConfigurationError):
    """Refuse a configuration; `violations` holds every fault, the text lists them one a line."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        """Keep the violations, ordered by file and line."""
        self.violations = tuple(sorted(violations, key=lambda v: (v.file, v.line, v.key, v.found)))
        super().__init__(self.violations)

    def __str__(self) -> str:
        """Return a count and one line per violation."""
        count = len(self.violations)
        head = f"the configuration is refused, {count} {'fault' if count == 1 else 'faults'}:"
        return "\n".join([head, *(f"  {violation}" for violation in self.violations)])


def _one_line(text: str) -> str:
    """Return `text` with what does not print escaped: a key may hold a line break or a terminal's control code."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def shown(value: object) -> str:
    """Return `value` as a message shows it: the way YAML would write it, on one line, shortened when long."""
    if value is None:
        text = "nothing (null)"
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int) and value.bit_length() > 256:
        text = f"a whole number of {value.bit_length()} bits"
    elif isinstance(value, dict):
        text = "a mapping" if value else "an empty mapping"
    elif isinstance(value, list | tuple):
        text = f"a list of {len(value)}"
    else:
        text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the known name closest to `name` ("did you mean x? "), or "" when none is close."""
    matches = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {matches[0]}? " if matches else ""


def key_path(parts: Iterable[str | int]) -> str:
    """Join the steps to a value: names with dots, positions in brackets (`books[0].share`)."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if len(part) <= LONGEST_SHOWN else part[: LONGEST_SHOWN - 3] + "..."
            text += f".{name}" if text else name
    return text
