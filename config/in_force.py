"""Name the keys that are validated but that nothing obeys in this version, so that nobody relies on one unawares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

NOT_IN_FORCE: tuple[str, ...] = (
    "engine.yaml: account.id",
    "engine.yaml: audit.retention_years",
    "risk_management.yaml: require_positive_expectancy",
    "risk_management.yaml: halt.keep_protective_stops",
    "risk_management.yaml: emergency.panic_mode",
    "retry.yaml: default.*",
    "retry.yaml: broker_connection.jitter",
    "retry.yaml: broker_connection.deadline_s",
    "retry.yaml: order_placement.*",
    "retry.yaml: market_data.*",
    "retry.yaml: position_updates.*",
)
"""`file: key` patterns, `*` for any text. Protective stops always stay at the venue, whatever the key of halts says."""

MARK = "not in force yet"


def is_in_force(file: str, key: str) -> bool:
    """Return whether something obeys `key` of `file`."""
    return not any(fnmatchcase(f"{file}: {key}", pattern) for pattern in NOT_IN_FORCE)


def idle_changes_warning(described: Mapping[str, Any]) -> str:
    """Return a line that names each changed key that nothing obeys yet, "" when there is none.

    `described` is what `config.describe.describe` returns.
    """
    changed = ", ".join(_idle_changes(described))
    return f"changed in your configuration, but {MARK}: {changed}" if changed else ""


def _idle_changes(described: Mapping[str, Any]) -> Iterator[str]:
    for file, about in described["files"].items():
        for key, entry in about["keys"].items():
            if not entry["in_force"] and entry["value"] != entry["default"]:
                yield f"{file}: {key}"
