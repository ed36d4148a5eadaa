"""Hold the gateway's own copy of the halt latch: any word may raise it, only the coordinator's announcement lowers it.

The copy is durable in the gateway's journal. A book or a symbol may be halted by itself; its rung counts where it is
above the account's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.halt_messages import LatchChanged, RaiseHalt
from domain.messages import GATEWAY
from domain.records import HaltTrigger, MachineSnapshot, Rung
from domain.supervision import LeaseGranted

LATCH = "latch"
"""Name of the snapshot that keeps the gateway's copy of the halt latch."""


class LatchCopy:
    """Know the rung, its version, the halts of books and symbols, and which of our own halts nobody confirmed."""

    def __init__(self, saved: Mapping[str, Any] | None) -> None:
        """Start ACTIVE, or from the `saved` values of the snapshot."""
        values = saved or {}
        self.rung = Rung(values.get("rung", 0))
        self.version = int(values.get("version", 0))
        self.scoped = {scope: Rung(rung) for scope, rung in values.get("scoped", {}).items()}
        self._unheard = {HaltTrigger(name): tuple(told) for name, told in values.get("unheard", {}).items()}
        self._seen = (0, Rung.ACTIVE)

    @property
    def up(self) -> bool:
        """Say whether anything is halted."""
        return self.rung > Rung.ACTIVE or bool(self.scoped)

    def forbids(self, book: str, symbol: str) -> str:
        """Return why no order of `book` in `symbol` may increase exposure, empty when one may."""
        where, rung = "", self.rung
        for scope in (f"book:{book}", f"symbol:{symbol}") if self.scoped else ():
            if self.scoped.get(scope, Rung.ACTIVE) > rung:
                where, rung = f" for {scope}", self.scoped[scope]
        return (
            "" if rung is Rung.ACTIVE else f"{rung.name}{where}: only orders that shrink a position may pass"
        )

    def approved(self, rung: Rung, version: int) -> bool:
        """Take the risk manager's latch; return whether that raised ours."""
        if version < self.version or rung <= self.rung:
            return False
        self.rung, self.version = rung, version
        return True

    def granted(self, lease: LeaseGranted) -> bool:
        """Take the latch that came with a lease; return whether that raised ours.

        One that is not above ours is only remembered: its version must not make the announcement of the same movement,
        which may lower and is still on its way, look old.
        """
        self._seen = max(self._seen, (lease.latch_version, lease.rung))
        if lease.latch_version <= self.version or lease.rung <= self.rung:
            return False
        self.rung, self.version = lease.rung, lease.latch_version
        return True

    def changed(self, message: LatchChanged, decided: int) -> bool:
        """Take the coordinator's announcement; return whether it was news. `decided` is the newest bar approved."""
        for trigger in message.heard:
            self._unheard.pop(trigger, None)
        # A lowering told again is news where nothing of its bar, or later, was approved yet: what was may have raised.
        ahead = message.version - self.version
        if ahead < 0 or (ahead == 0 and not (message.lowers and message.bar > decided)):
            return ahead == 0 and self._scope(message, lowers=False)
        for trigger in message.active:
            self._unheard.pop(trigger, None)
        rung = message.rung if message.lowers else max(message.rung, self.rung)
        if message.version < self._seen[0]:  # it was raised since: a lease has told
            rung = max(rung, self._seen[1])
        # A lowering that crossed our own halt on the way does not know of it.
        self.rung = max(rung, *(Rung(told[2]) for told in self._unheard.values())) if self._unheard else rung
        self.version = message.version
        self._scope(message, lowers=message.lowers)
        return True

    def raise_here(self, trigger: HaltTrigger, bar: int, detail: str, rung: Rung = Rung.HALTED) -> None:
        """Halt by ourselves, until the coordinator has heard of it and lowers."""
        self._unheard[trigger] = (bar, detail, int(rung))
        self.rung = max(rung, self.rung)

    def unheard(self) -> list[HaltTrigger]:
        """Return our own halts that nobody confirmed."""
        return sorted(self._unheard)

    def told(self, trigger: HaltTrigger, *, again: bool) -> RaiseHalt:
        """Word one of our own halts; the gateway knows neither the session nor a time of its own."""
        bar, detail, rung = self._unheard[trigger]
        return RaiseHalt(
            at_ns=0,
            bar=bar,
            session=0,
            rung=Rung(rung),
            trigger=trigger,
            raised_by=GATEWAY,
            detail=detail,
            again=again,
        )

    def snapshot(self, bar: int) -> MachineSnapshot:
        """Return what must be durable before anybody is told."""
        values = {
            "rung": int(self.rung),
            "version": self.version,
            "unheard": dict(self._unheard),
            "scoped": {scope: int(rung) for scope, rung in sorted(self.scoped.items())},
        }
        return MachineSnapshot(name=LATCH, bar=bar, at_ns=0, values=values)

    def _scope(self, message: LatchChanged, *, lowers: bool) -> bool:
        """Take the halts of books and symbols, all of them where it lowers; return whether they changed."""
        scoped = {} if lowers else dict(self.scoped)
        for scope, rung in message.scoped:
            scoped[scope] = max(rung, scoped.get(scope, Rung.ACTIVE))
        scoped = {scope: rung for scope, rung in scoped.items() if rung > Rung.ACTIVE}
        changed, self.scoped = scoped != self.scoped, scoped
        return changed
