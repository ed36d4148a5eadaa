"""Screen bars before they are published: what breaks a rule, comes twice, late or out of order is kept out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from domain.bars import Bar, BarFault, BarGroup, bar_fault
from domain.outbox import AuditEvent, AuditKind


class BarScreen:
    """Part each group's bars into those that may leave and those that may not, and count the latter by fault."""

    def __init__(self, symbols: Collection[str]) -> None:
        """Know `symbols`; no bar has come yet."""
        self._symbols = symbols
        self._last_open_ns: dict[str, int] = {}
        self._last_known_ns: int | None = None
        self.refused: Counter[str] = Counter()

    def screen(self, group: BarGroup) -> tuple[list[Bar], list[tuple[Bar, BarFault]]]:
        """Return the bars of `group` that may leave, and the others with their fault, each in its order."""
        accepted: list[Bar] = []
        refused: list[tuple[Bar, BarFault]] = []
        last, symbols, open_ns = self._last_open_ns, self._symbols, group.open_ns
        late = self._last_known_ns is not None and group.known_ns <= self._last_known_ns
        seen: set[str] = set()
        for bar in group.bars:
            symbol, fault = bar.symbol, bar_fault(bar)
            before = last.get(symbol)
            if symbol not in symbols:
                fault = BarFault.UNKNOWN_SYMBOL
            elif symbol in seen or before == open_ns:
                fault = BarFault.DUPLICATE
            elif before is not None and open_ns < before:
                fault = BarFault.OUT_OF_ORDER
            elif late:
                fault = BarFault.LATE  # its moment was published without it
            if fault is None:
                accepted.append(bar)
                seen.add(symbol)
                last[symbol] = open_ns
            else:
                refused.append((bar, fault))
                self.refused[fault.value] += 1
        if accepted:
            self._last_known_ns = group.known_ns
        return accepted, refused


def bad_bar(group: BarGroup, bar: Bar, fault: BarFault) -> AuditEvent:
    """Return the record of a bar of `group` that was kept out, with its values."""
    body = {"symbol": bar.symbol, "fault": fault.value, "values": [repr(value) for value in bar[1:]]}
    return AuditEvent(
        AuditKind.BAD_BAR, group.known_ns, group.index, f"{bar.symbol}.{fault.value}", True, body
    )
