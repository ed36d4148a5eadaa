"""Stop a strategy whose entries never fill: it, or what tells it of fills, is broken (requirement B1; Knight, 2012).

Each entry that reaches the market counts for every strategy that voted for it, until one of its entries is filled. At
the limit nothing more is entered on its vote, and it is quarantined until a person releases it. What the gateway
refused by itself never reached the market, and does not count: a venue that is away for hours is no strategy's fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from domain.orders import BY_GATEWAY_ITSELF
from domain.records import OrderEntry, OrderState
from domain.risk.limits import RiskLimits


class RunawayGuard:
    """Know, for each strategy, the entries since its last fill."""

    def __init__(self, limits: RiskLimits, saved: Mapping[str, Any]) -> None:
        """Bar strategies at so many entries without a fill, going on from `saved` (of `to_values`).

        As many positions as may be open may also work at once, all of one strategy's.
        """
        self._most = max(limits.max_entries_without_fill, limits.max_positions)
        self._since: dict[str, list[str]] = {
            name: list(refs) for name, refs in saved.get("since", {}).items()
        }
        self._unnamed: dict[str, int] = {ref: int(bar) for ref, bar in saved.get("unnamed", {}).items()}
        self._refs = {ref for refs in self._since.values() for ref in refs}
        self._due: dict[str, str] = {}

    def approved(self, ref: str, bar: int, voters: Iterable[str]) -> None:
        """Count an entry from the moment of its approval."""
        self._unnamed[ref] = bar
        self._refs.add(ref)
        for name in voters:
            refs = self._since.setdefault(name, [])
            if ref not in refs:
                refs.append(ref)

    def follow(self, entry: OrderEntry) -> None:
        """Take an order's newest journal state."""
        ref = entry.order_ref
        if ref not in self._refs:
            return
        self._unnamed.pop(ref, None)
        if entry.state is OrderState.REFUSED and entry.text.startswith(BY_GATEWAY_ITSELF):
            self._let_go(ref)

    def filled(self, ref: str) -> None:
        """Begin anew for every strategy that voted for the order `ref`, which traded."""
        if ref not in self._refs:
            return
        for name in [name for name, refs in self._since.items() if ref in refs]:
            del self._since[name]
        self._gather()

    def expire(self, bar: int) -> None:
        """Let go of approvals of bars before `bar` that the gateway's journal never named: they expired on the way."""
        for ref in (
            [ref for ref, approved in self._unnamed.items() if approved < bar] if self._unnamed else ()
        ):
            del self._unnamed[ref]
            self._let_go(ref)

    def bars(self, voters: Iterable[str]) -> str:
        """Return why nothing is entered on these votes, empty where it may be; who is at its limit is due."""
        over = [name for name in voters if len(self._since.get(name, ())) >= self._most]
        for name in over:
            self._due[name] = f"{self._most} entries in a row were not filled"
        return "" if not over else f"{', '.join(over)}: {self._most} entries in a row were not filled"

    def take_due(self) -> dict[str, str]:
        """Return, with the reason, who reached the limit since this was last asked."""
        due, self._due = self._due, {}
        return due

    def forget(self, name: str) -> None:
        """Begin anew for one strategy, as when a person releases it."""
        if self._since.pop(name, None) is not None:
            self._gather()

    def to_values(self) -> dict[str, Any]:
        """Return the state to persist, JSON-able."""
        if not self._since:
            return {}
        since = {name: list(refs) for name, refs in sorted(self._since.items())}
        return {"since": since, "unnamed": dict(self._unnamed)}

    def _let_go(self, ref: str) -> None:
        for name, refs in tuple(self._since.items()):
            if ref in refs:
                refs.remove(ref)
                if not refs:
                    del self._since[name]
        self._gather()

    def _gather(self) -> None:
        """Know anew which orders count for anybody."""
        self._refs = {ref for refs in self._since.values() for ref in refs}
        for ref in self._unnamed.keys() - self._refs:
            del self._unnamed[ref]
