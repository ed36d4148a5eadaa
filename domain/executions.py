"""Keep each execution once, whatever order they come in, and know which of them stand.

A correction takes its original's place, also when it arrives first; corrections of corrections likewise. Of several
that correct the same execution the newest in the journal stands. This is the rule of `domain/ledger.py`, kept apart
from its money: gateway and risk manager count by themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import KeysView
from itertools import islice
from typing import NamedTuple

from domain.errors import InvariantViolation
from domain.records import ExecutionEntry


class Change(NamedTuple):
    """Say that an execution stands from now on (`sign` 1) or no longer does (-1)."""

    entry: ExecutionEntry
    sign: int


class Executions:
    """Hold every execution by id, and which stand."""

    def __init__(self) -> None:
        """Start with none."""
        self._entries: dict[str, ExecutionEntry] = {}
        self._standing: set[str] = set()
        self._corrections: defaultdict[str, list[str]] = defaultdict(list)

    def __contains__(self, exec_id: str) -> bool:
        """Say whether `exec_id` was taken before."""
        return exec_id in self._entries

    def ids(self) -> KeysView[str]:
        """Return the ids of all that were taken, in that order."""
        return self._entries.keys()

    def get(self, exec_id: str) -> ExecutionEntry | None:
        """Return the entry of `exec_id`, None for one never taken."""
        return self._entries.get(exec_id)

    def newest(self, most: int) -> list[ExecutionEntry]:
        """Return up to `most` of them, the last taken first."""
        return list(islice(reversed(self._entries.values()), most))

    def standing(self) -> list[ExecutionEntry]:
        """Return the executions that count, in no particular order."""
        return [self._entries[exec_id] for exec_id in self._standing]

    def add(self, entry: ExecutionEntry) -> list[Change]:
        """Take a new execution and return what it changes; raises InvariantViolation for corrections in a circle."""
        execution = entry.execution
        self._entries[execution.exec_id] = entry
        if execution.corrects:
            self._corrections[execution.corrects].append(execution.exec_id)
        elif execution.exec_id not in self._corrections:
            self._standing.add(execution.exec_id)
            return [Change(entry, 1)]
        group = self._linked(execution.exec_id)
        uncorrected = [exec_id for exec_id in group if exec_id not in self._corrections]
        if not uncorrected:
            raise InvariantViolation(f"executions {', '.join(sorted(group))} correct one another in a circle")
        newest = max(uncorrected, key=lambda exec_id: self._entries[exec_id].seq)
        gone = sorted(exec_id for exec_id in group if exec_id in self._standing and exec_id != newest)
        changes = [Change(self._entries[exec_id], -1) for exec_id in gone]
        if newest not in self._standing:
            changes.append(Change(self._entries[newest], 1))
        self._standing.difference_update(gone)
        self._standing.add(newest)
        return changes

    def _linked(self, exec_id: str) -> list[str]:
        """Return the ids that corrections lead to from `exec_id`, in both directions, as far as they arrived."""
        seen = {exec_id: None}
        waiting = [exec_id]
        while waiting:
            at = waiting.pop()
            entry = self._entries.get(at)
            original = [entry.execution.corrects] if entry is not None and entry.execution.corrects else []
            for other in (*original, *self._corrections.get(at, ())):
                if other not in seen:
                    seen[other] = None
                    waiting.append(other)
        return [one for one in seen if one in self._entries]
