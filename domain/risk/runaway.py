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

_NAMED = -1
"""In the place of a bar: the gateway has the order in its journal."""


class RunawayGuard:
    """Know, for each strategy, the entries since its last fill."""

    def __init__(self, limits: RiskLimits, saved: Mapping[str, Any]) -> None:
        """Bar strategies at so many entries without a fill, going on from `saved` (of `to_values`).

        As many positions as may be open may also work at once, all of one strategy's.
        """
        self._most = max(limits.max_entries_without_fill, limits.max_positions)
        self._since: dict[str, dict[str, int]] = {
            name: {str(ref): int(bar) for ref, bar in refs.items()} for name, refs in saved.items()
        }
        self._due: dict[str, str] = {}

    def approved(self, ref: str, bar: int, voters: Iterable[str]) -> None:
        """Count an entry from the moment of its approval."""
        for name in voters:
            self._since.setdefault(name, {})[ref] = bar

    def follow(self, entry: OrderEntry) -> None:
        """Take an order's newest journal state."""
        refused = entry.state is OrderState.REFUSED and entry.text.startswith(BY_GATEWAY_ITSELF)
        for refs in self._since.values():
            if entry.order_ref in refs:
                if refused:
                    del refs[entry.order_ref]
                else:
                    refs[entry.order_ref] = _NAMED

    def filled(self, ref: str) -> None:
        """Begin anew for every strategy that voted for the order `ref`, which traded."""
        for name, refs in tuple(self._since.items()):
            if ref in refs:
                del self._since[name]

    def expire(self, bar: int) -> None:
        """Let go of approvals of bars before `bar` that the gateway's journal never named: they expired on the way."""
        for refs in self._since.values():
            for ref in [ref for ref, approved in refs.items() if _NAMED < approved < bar]:
                del refs[ref]

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
        self._since.pop(name, None)

    def to_values(self) -> dict[str, Any]:
        """Return the state to persist, JSON-able."""
        return {name: dict(refs) for name, refs in sorted(self._since.items()) if refs}
