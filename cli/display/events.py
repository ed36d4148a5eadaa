"""Keep what happened last, as the snapshots tell it one after another, and show it."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style

from cli.display.fields import Fields
from cli.display.figures import lots, price
from cli.display.lines import Line, fit, heading, piece
from cli.display.styles import AMBER, FAINT, MUTED, PLAIN, RED, TEAL
from cli.display.view import Snapshot, causes
from domain.messages import GATEWAY, RISK
from domain.strategies.blocks import DAY_NS

KEPT = 64

_ICONS: dict[str, tuple[str, Style]] = {
    "order": ("→", MUTED),
    "fill": ("✓", TEAL),
    "refused": ("✗", AMBER),
    "cancel": ("×", MUTED),
    "unknown": ("?", RED),
    "halt": ("■", RED),
    "resume": ("●", TEAL),
    "restart": ("↻", AMBER),
    "failure": ("!", RED),
    "phase": ("·", MUTED),
}
_ENDS = {
    "refused": "refused",
    "canceled": "cancel",
    "expired": "cancel",
    "never_arrived": "unknown",
    "unknown": "unknown",
}
_ORDER = ["ACTIVE", "REDUCING", "HALTED", "FLATTENING"]


class Event(NamedTuple):
    """Be one thing that happened: when, by the engine's time, what kind, and in words."""

    when: str
    kind: str
    text: str


class EventLog:
    """Find what is new in each snapshot; the newest `KEPT` events are kept."""

    def __init__(self, bar_ns: int) -> None:
        """Tell days where bars are days, else minutes."""
        self._format = "%Y-%m-%d" if bar_ns >= DAY_NS else "%m-%d %H:%M"
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._seq = 0
        self._placed: deque[str] = deque(maxlen=KEPT)
        self._failed: tuple[object, ...] = ()
        self._faults = self._failures = 0
        self._rung = self._phase = ""
        self._roles: dict[str, tuple[int, str]] = {}

    def newest(self, most: int) -> list[Event]:
        """Return up to `most` events, the newest first."""
        return list(self._events)[: -most - 1 : -1] if most > 0 else []

    def look(self, snapshot: Snapshot, now: str) -> None:
        """Take what `snapshot` tells anew; `now` is the engine's present day or minute in words."""
        top = Fields(snapshot)
        views = top.within("views")
        self._look_at_phase(top, now)
        self._look_at_trades(views.within(GATEWAY))
        self._look_at_evaluations(views.within(RISK), now)
        self._look_at_halts(top, now)
        self._look_at_roles(top.within("roles"), now)
        self._look_at_failures(top, now)

    def _add(self, when: str, kind: str, text: str) -> None:
        self._events.append(Event(when, kind, text))

    def _look_at_phase(self, top: Fields, now: str) -> None:
        phase, before = top.text("phase"), self._phase
        if phase and phase != before:
            self._phase = phase
            reason = f": {top.text('reason')}" if top.text("reason") else ""
            self._add(now, "phase", f"{phase}{reason}")

    def _look_at_trades(self, gateway: Fields) -> None:
        """Tell orders and fills that are newer, by the journal's sequence, than those told before."""
        told: list[tuple[int, Event]] = []
        for each in gateway.listed("newest_orders"):
            order = Fields(each)
            if order.whole("seq") > self._seq and (event := self._order(order)) is not None:
                told.append((order.whole("seq"), event))
        for each in gateway.listed("newest_fills"):
            fill = Fields(each)
            if fill.whole("seq") > self._seq:
                told.append((fill.whole("seq"), self._fill(fill)))
        self._seq = max(self._seq, gateway.whole("journal_head"))
        self._events.extend(event for _, event in sorted(told))

    def _order(self, order: Fields) -> Event | None:
        state, kind = order.text("state"), order.text("kind")
        if kind == "stop" and state in ("canceled", "sent", "working", "filled"):
            return None  # stops come and go with their positions, and their fills are told
        words = f"{order.text('side')} {kind} {order.text('symbol')}, {lots(order.whole('lots'))}"
        if state in _ENDS:
            why = f": {order.text('text')}" if order.text("text") else ""
            return Event(self._when(order), _ENDS[state], f"{state.replace('_', ' ')}: {words}{why}")
        if state == "filled" or order.text("ref") in self._placed:
            return None  # its fill is told, or it was told when it was placed
        self._placed.append(order.text("ref"))
        return Event(self._when(order), "order", f"{words} at {price(order.number('price'))}")

    def _fill(self, fill: Fields) -> Event:
        done = "bought" if fill.text("side") == "buy" else "sold"
        words = f"{done} {lots(fill.whole('lots'))} {fill.text('symbol')} at {price(fill.number('price'))}"
        return Event(self._when(fill), "fill", f"{words}, {fill.text('kind')} of {fill.text('book')}")

    def _look_at_evaluations(self, risk: Fields, now: str) -> None:
        history = risk.within("failures").listed("history")
        newest = tuple(history[-1]) if history else ()
        if len(newest) == 3 and newest != self._failed:
            self._failed = newest
            bar, strategy, error = newest
            self._add(now, "failure", f"{strategy} failed at bar {bar}: {error}")

    def _look_at_halts(self, top: Fields, now: str) -> None:
        rung, before = top.text("rung"), self._rung
        if not rung or rung == before:
            return
        self._rung = rung
        if not before and rung == "ACTIVE":
            return
        lowered = before in _ORDER and rung in _ORDER and _ORDER.index(rung) < _ORDER.index(before)
        why = ", ".join(causes(top))
        words = f" by {why}" if why and not lowered else f", was {before}" if lowered else ""
        self._add(now, "resume" if lowered else "halt", f"{rung}{words}")

    def _look_at_roles(self, roles: Fields, now: str) -> None:
        for role, value in roles.named():
            seen = Fields(value)
            generation, status = seen.whole("generation"), seen.text("status")
            before = self._roles.get(role)
            self._roles[role] = (generation, status)
            why = f": {seen.text('why')}" if seen.text("why") else ""
            if before is not None and generation > before[0]:
                self._add(now, "restart", f"{role} restarted, generation {generation}{why}")
            elif before is not None and status != before[1] and status in ("quarantined", "ended"):
                self._add(now, "failure", f"{role} {status}{why}")

    def _look_at_failures(self, coordinator: Fields, now: str) -> None:
        failures, faults = coordinator.listed("failures"), coordinator.whole("faults")
        for failure in failures[self._failures :]:
            self._add(now, "failure", str(failure))
        if faults > self._faults:
            self._add(now, "failure", coordinator.text("last_fault"))
        self._failures, self._faults = len(failures), faults

    def _when(self, entry: Fields) -> str:
        at_ns = entry.whole("at_ns")
        known = 0 < at_ns < 2**63
        return datetime.fromtimestamp(at_ns // 10**9, UTC).strftime(self._format) if known else ""


def events(log: EventLog, width: int, height: int) -> list[Line]:
    """Return the newest events, the newest first, in `height` lines."""
    newest = log.newest(height - 1)
    lines = [heading("Last events", width)]
    room = max((len(event.when) for event in newest), default=0)
    for event in newest:
        icon, style = _ICONS.get(event.kind, ("·", MUTED))
        loud = style if event.kind in ("halt", "unknown") else PLAIN
        when = piece(f"{event.when:<{room}} ", FAINT)
        lines.append(fit([when, Segment(f"{icon} ", style), piece(event.text, loud)], width))
    if not newest:
        lines.append([Segment("nothing yet", FAINT)])
    return (lines + [[]] * height)[:height]
