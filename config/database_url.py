"""Judge and fill the template of the databases' URLs: where each role keeps its records."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote

BESIDE_STATE = "sqlite:///{state}/{role}.db"
"""The shipped template: in the state directory."""

ALLOWED = (
    "sqlite:/// and an absolute path that holds {role}, ends in .db, .sqlite or .sqlite3, and either begins with "
    "{state}/ (not in its archive) or holds {session}; blanks and special characters as in a URL (%20)"
)

_SCHEME = "sqlite:///"
_FORM = re.compile(r"(?:\{(?:state|role|session)\}|%[0-9A-Fa-f]{2}|[^\x00-\x1f\x7f{}%?#\\])+")
_ARCHIVE = "archive"
_SUFFIXES = (".db", ".sqlite", ".sqlite3")  # so that no database takes the name of a lock, a log or a table


def is_allowed(template: object) -> bool:
    """Say whether `template` is one that `ALLOWED` describes.

    No two roles share a database, and no session ever meets an earlier one's: what begins with the state directory
    moves into the archive with it, anything else must carry the session's number.
    """
    if not isinstance(template, str) or not template.startswith(_SCHEME):
        return False
    place = template.removeprefix(_SCHEME)
    if _FORM.fullmatch(place) is None or "{role}" not in place:
        return False
    root, _, below = place.partition("/")
    steps = unquote(below).split("/")
    if root not in ("", "{state}") or not _is_plain(steps) or not steps[-1].endswith(_SUFFIXES):
        return False
    in_state = root == "{state}" and steps[0].casefold() != _ARCHIVE
    return in_state or "{session}" in place


def _is_plain(steps: list[str]) -> bool:
    """Say whether steps of a path name a file: none empty, none that leads up, nothing that no name may hold."""
    return all(step not in ("", ".", "..") and step.isprintable() for step in steps)


def filled(template: str, state: Path, role: str, session: int) -> str:
    """Return the URL of `role`'s database for the absolute directory `state` and the session's number."""
    named = template.replace("{role}", role).replace("{session}", str(session))
    return named.replace("{state}", quote(str(state)))
