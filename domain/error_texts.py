"""Put exceptions into words, a stranger's too whose own words raise: to tell of a failure must not fail."""

from __future__ import annotations

import traceback


def describe(error: BaseException) -> str:
    """Return "Class: its words", as Unicode that every codec carries."""
    name = type(error).__name__
    try:
        return _unicode(f"{name}: {error}")
    except BaseException as broken:  # a stranger's __str__ may raise whatever it likes
        return f"{name}: (it has no words: its __str__ raised {type(broken).__name__})"


def traced(error: BaseException, limit: int | None = None) -> str:
    """Return the traceback with up to `limit` frames (negative: the last ones; None: all)."""
    try:
        lines = traceback.format_exception(type(error), error, error.__traceback__, limit=limit)
    except BaseException as broken:
        return f"(no traceback of {type(error).__name__}: {describe(broken)})"
    return _unicode("".join(lines))


def _unicode(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
