"""Show, at the top, what must be seen at once: mode, halt state and its causes, phase, session, bar and progress."""

from __future__ import annotations

from rich.segment import Segment

from cli.display.gauges import gauge
from cli.display.lines import Line, ends, fit, piece
from cli.display.styles import (
    AMBER,
    BLUE,
    BOLD,
    FAINT,
    MUTED,
    PLAIN,
    RED,
    TEAL,
    Badge,
    mode_badge,
    rung_badge,
)
from cli.display.view import View
from cli.formats import count
from cli.meter import Reading

HEAD_LINES = 3
FRESH_S, OLD_S = 2.5, 10.0
"""From these ages of the newest figures on they are called old, and then last known."""

_SPACE = Segment(" ")
_PHASES = {
    "starting": Badge("◐ starting", AMBER),
    "running": Badge("▶ running", TEAL),
    "draining": Badge("◐ stopping", AMBER),
    "stopped": Badge("○ stopped", MUTED),
    "failed": Badge("■ failed", RED),
}


def head(view: View, reading: Reading, age_s: float, width: int) -> list[Line]:
    """Return three lines; `age_s` is how old the newest figures are."""
    return [_state(view, reading, age_s, width), _progress(reading, width), _situation(view, width)]


def _state(view: View, reading: Reading, age_s: float, width: int) -> Line:
    left: Line = [Segment("Breakwater ", BOLD)] if width >= 80 else []
    left += [mode_badge(view.mode).segment, _SPACE]
    if (rung := rung_badge(view.rung)) is not None:
        left += [rung.segment, _SPACE]
    phase = view.phase or reading.phase
    left.append((_PHASES.get(phase) or Badge(phase, AMBER)).segment)
    if age_s >= FRESH_S:
        old = f"  last known {age_s:.0f} s ago" if age_s >= OLD_S else f"  {age_s:.0f} s old"
        left.append(Segment(old, RED if age_s >= OLD_S else AMBER))
    right: Line = []
    if view.session:
        right.append(piece(f"  session {view.session}", MUTED))
    if reading.day:
        right.append(piece(f"  {reading.day}", PLAIN))
    return ends(left, right, width)


def _progress(reading: Reading, width: int) -> Line:
    bars = f"{reading.done:,} of {reading.total:,} bars"
    right: Line = [piece(f"{reading.share:4.0%}  ", BOLD), piece(bars, PLAIN)]
    if reading.pace:
        right.append(piece(f"  {reading.pace}", BLUE))
    room = max(8, width - sum(len(part.text) for part in right) - 2)
    return fit([*gauge(reading.share, 1.0, room, TEAL), Segment(" "), *right], width)


def _situation(view: View, width: int) -> Line:
    """Return the one thing to know: why it halted, what it waits for, what failed; else that nothing is amiss."""
    parts: Line = []
    if view.rung and view.rung != "ACTIVE":
        causes = ", ".join(view.causes) or "no cause told"
        parts += [Segment(f"{view.rung.lower()} by ", MUTED), piece(causes, RED)]
    if view.scoped:
        scopes = ", ".join(f"{scope} {rung}" for scope, rung in view.scoped)
        parts += [Segment("  " if parts else "", PLAIN), piece(scopes, AMBER)]
    if view.breakers:
        open_ones = ", ".join(f"{name} {state}" for name, state in view.breakers).replace("_", " ")
        parts += [Segment("  breaker of " if parts else "breaker of ", MUTED), piece(open_ones, AMBER)]
    if view.phase in ("draining", "stopped", "failed") and view.reason:
        parts += [Segment("  stopping: " if parts else "stopping: ", MUTED), piece(view.reason, AMBER)]
    if view.waiting_for:
        waits = ", ".join(view.waiting_for)
        parts += [Segment("  waiting for " if parts else "waiting for ", MUTED), piece(waits, AMBER)]
    if view.trouble and len(parts) < 4:
        parts += [Segment("  last failure " if parts else "last failure ", MUTED), piece(view.trouble, AMBER)]
    if not parts and view.account.safe is False:
        parts = [Segment("no new risk: ", MUTED), piece("; ".join(view.account.reasons), AMBER)]
    if not parts:
        parts = [Segment("every limit is kept" if view.account.safe else "", FAINT)]
    right: Line = [piece(count(view.halts, "halt"), MUTED)] if view.halts else []
    return ends(parts, right, width)
