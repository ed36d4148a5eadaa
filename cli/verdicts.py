"""Say what a check found."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """Be what one check found: `verdict` is ok, warning or failed; `advice` says what to do, "" where nothing."""

    check: str
    verdict: str
    found: str
    advice: str = ""


def ok(check: str, found: str) -> Finding:
    """Return that all is well."""
    return Finding(check, "ok", found)


def warning(check: str, found: str, advice: str) -> Finding:
    """Return what a person should look at; an engine can run."""
    return Finding(check, "warning", found, advice)


def failed(check: str, found: str, advice: str) -> Finding:
    """Return what keeps an engine from running, or from being trusted."""
    return Finding(check, "failed", found, advice)
