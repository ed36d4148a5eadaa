"""Say what the halt latch's file says at a start, and whether that raises the ladder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from domain.halt_causes import Cause
from domain.latch_copy import BY_GATEWAY
from domain.records import HaltTrigger, Rung


class FoundLatch(NamedTuple):
    """Be what the latch's file says; no coordinator writes one of a version below 1."""

    rung: Rung = Rung.ACTIVE
    version: int = 0
    detail: str = ""

    def raises(self, version: int, causes: Mapping[HaltTrigger, Cause]) -> bool:
        """Say whether a start raises a ladder at `version`, which `causes` hold up, to what the file says.

        A file that this ladder wrote, of a version it has passed or reached, is what a crash left between store and
        file: the store holds who moved the latch since, and why. So is one of the gateway's whose halt is on record.
        Any other raises: a person wrote it while no engine heard, the coordinator never heard of the gateway's halt,
        it cannot be read, or the store is an older one than the file has seen.
        """
        ours = 1 <= self.version <= version
        recorded = self.version == BY_GATEWAY and any(
            self.detail == cause.detail and self.rung <= cause.rung for cause in causes.values()
        )
        return self.rung > Rung.ACTIVE and not ours and not recorded


NOTHING_FOUND = FoundLatch()
