"""Join the venue's machine to its journal: what an input changed is durable before its answer leaves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from domain.outputs import Send
from simulation.venue.journal import VenueJournal
from simulation.venue.machine import VenueInput, VenueMachine
from simulation.venue.settings import VenueSettings
from simulation.venue.turn import Commit
from storage.commit_group import CommitGroup


class DurableVenue:
    """Be a venue that survives its process: killed at any point and sent the same inputs again, it ends the same.

    What moves orders or money is on the disk before its answer leaves. A quiet group (only marks and cursor move) is
    written then too, safe from the death of the process, but reaches the disk with the next commit that moves more:
    after a loss of power the venue may stand some quiet groups back, and goes on from there, sent again or not.
    """

    def __init__(self, directory: Path, settings: VenueSettings, group: CommitGroup | None = None) -> None:
        """Open the journal in `directory` and go on from it; raises StateError when it is unusable."""
        self._journal = VenueJournal(directory, settings, group)
        self._machine = VenueMachine(settings, self._journal.history())

    def __enter__(self) -> Self:
        """Return the venue itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    @property
    def now_ns(self) -> int:
        """Return the venue's time."""
        return self._machine.now_ns

    @property
    def group(self) -> int:
        """Return the index of the last group handled (-1 before the first)."""
        return self._machine.group

    def handle(self, message: VenueInput) -> list[Send]:
        """Return the answer to `message`, its changes durable; raises DurabilityError, after which it is unusable."""
        answers = []
        for output in self._machine.handle(message):
            if isinstance(output, Commit):
                self._journal.append(output)
            else:
                answers.append(output)
        return answers

    def state(self) -> Mapping[str, Any]:
        """Return the machine's present state, JSON-able."""
        return self._machine.state()

    def connect(self) -> int:
        """Count a new connection of a gateway, durably, and return its number."""
        return self._journal.connect()

    def flush(self) -> None:
        """Write what is pending."""
        self._journal.flush()

    def abandon(self) -> None:
        """Let go of the journal as a killed process would: what is not committed is lost."""
        self._journal.close()

    def close(self) -> None:
        """Flush, unless a write failed before, and let go of the journal."""
        try:
            if not self._journal.failed:
                self.flush()
        finally:
            self._journal.close()
