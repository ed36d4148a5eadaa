"""Hold the gateway's own copy of the halt latch: any word may raise it, only the coordinator's announcement lowers it.

The copy is durable in the gateway's journal. A book or a symbol may be halted by itself; its rung counts where it is
above the account's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from domain.halt_messages import LatchChanged, RaiseHalt
from domain.messages import GATEWAY
from domain.records import HaltTrigger, MachineSnapshot, Rung
from domain.supervision import LeaseGranted

LATCH = "latch"
"""Name of the snapshot that keeps the gateway's copy of the halt latch."""

BY_GATEWAY = -1
"""Version of a latch file that the gateway wrote by itself: of no movement of the ladder, and by no person."""


class _Raised(NamedTuple):
    """Be where, why and how high the gateway halted by itself; no two have one number, over all its processes."""

    bar: int
    detail: str
    rung: int
    number: int = 0


class LatchCopy:
    """Know the rung, its version, the halts of books and symbols, and which of our own halts nobody confirmed."""

    def __init__(self, saved: Mapping[str, Any] | None) -> None:
        """Start ACTIVE, or from the `saved` values of the snapshot."""
        values = saved or {}
        self.rung = Rung(values.get("rung", 0))
        self.version = int(values.get("version", 0))
        self.scoped = {scope: Rung(rung) for scope, rung in values.get("scoped", {}).items()}
        self._unheard = {
            HaltTrigger(name): _Raised(*told) for name, told in values.get("unheard", {}).items()
        }
        self._raised = int(values.get("raised", 0))
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
        """Take the coordinator's announcement; return whether it was news. `decided` is the newest bar approved.

        A lowering that crossed a halt of our own on its way does not know of it. It is not held, its version neither,
        so that it is news once more when it is told again after the coordinator has heard.
        """
        for trigger in message.heard:
            self._unheard.pop(trigger, None)
        # A lowering told again is news where nothing of its bar, or later, was approved yet: what was may have raised.
        ahead = message.version - self.version
        if ahead < 0 or (ahead == 0 and not (message.lowers and message.bar > decided)):
            return ahead == 0 and self._scope(message, lowers=False)
        for trigger in message.active:
            if trigger in self._unheard and self._unheard[trigger].rung <= message.rung:
                del self._unheard[trigger]
        crossed = message.lowers and bool(self._unheard)
        lowers = message.lowers and not crossed
        rung = message.rung if lowers else max(message.rung, self.rung)
        if message.version < self._seen[0]:  # it was raised since: a lease has told
            rung = max(rung, self._seen[1])
        self.rung = rung
        self.version = self.version if crossed else message.version
        self._scope(message, lowers=lowers)
        return True

    def raise_here(self, trigger: HaltTrigger, bar: int, detail: str, rung: Rung = Rung.HALTED) -> None:
        """Halt by ourselves, until the coordinator has heard of it and lowers."""
        self._raised += 1
        self._unheard[trigger] = _Raised(bar, detail, int(rung), self._raised)
        self.rung = max(rung, self.rung)

    def unheard(self) -> list[HaltTrigger]:
        """Return our own halts that nobody confirmed."""
        return sorted(self._unheard)

    def told(self, trigger: HaltTrigger, *, again: bool) -> RaiseHalt:
        """Word one of our own halts; the gateway knows neither the session nor a time of its own."""
        raised = self._unheard[trigger]
        return RaiseHalt(
            at_ns=0,
            bar=raised.bar,
            session=0,
            rung=Rung(raised.rung),
            trigger=trigger,
            raised_by=GATEWAY,
            detail=raised.detail,
            again=again,
            number=raised.number,
        )

    def snapshot(self, bar: int) -> MachineSnapshot:
        """Return what must be durable before anybody is told."""
        values = {
            "rung": int(self.rung),
            "version": self.version,
            "unheard": dict(self._unheard),
            "raised": self._raised,
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
