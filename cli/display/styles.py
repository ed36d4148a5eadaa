"""Name the colours and the words of the display; whatever a colour says, an icon or a word says too.

The tones lie in the middle, readable on a dark terminal and on a light one; a terminal of few colours gets its nearest.
Gains are teal and losses vermilion, a pair that most colour-blind people tell apart; red is for danger alone.
"""

from __future__ import annotations

from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style

PLAIN = Style.null()
BOLD = Style(bold=True)
MUTED = Style(color="#7f8a99")
FAINT = Style(color="#5a6472")
TEAL = Style(color="#12a089")
VERMILION = Style(color="#dd5f24")
TEAL_AREA = Style(color="#0d7a69")
VERMILION_AREA = Style(color="#a5481c")
AMBER = Style(color="#c98a1b")
RED = Style(color="#e0444f", bold=True)
BLUE = Style(color="#4a8fd4")
HEADING = Style(bold=True, color="#4a8fd4")

_ON_GREY = Style(color="#ffffff", bgcolor="#5a6472", bold=True)
_ON_BLUE = Style(color="#ffffff", bgcolor="#2f6fb3", bold=True)
_ON_TEAL = Style(color="#ffffff", bgcolor="#0c7a68", bold=True)
_ON_AMBER = Style(color="#1a1300", bgcolor="#e0a52e", bold=True)
_ON_RED = Style(color="#ffffff", bgcolor="#c11f2e", bold=True)

NOTHING = "–"
"""Stands where nothing is known."""


class Badge(NamedTuple):
    """Be an icon and a word in one style."""

    text: str
    style: Style

    @property
    def segment(self) -> Segment:
        """Return it as it is shown in a row."""
        return Segment(self.text, self.style)


_MODES = {
    "LIVE": Badge(" LIVE  REAL MONEY ", _ON_RED),
    "PAPER": Badge(" PAPER  no real money ", _ON_BLUE),
    "SIMULATION": Badge(" SIMULATION ", _ON_GREY),
}
_RUNGS = {
    "ACTIVE": Badge(" ● ACTIVE ", _ON_TEAL),
    "REDUCING": Badge(" ◐ REDUCING ", _ON_AMBER),
    "HALTED": Badge(" ■ HALTED ", _ON_RED),
    "FLATTENING": Badge(" ▼ FLATTENING ", _ON_RED),
}
_BREAKERS = {
    "closed": Badge("● closed", TEAL),
    "half-open": Badge("◐ half-open", AMBER),
    "open": Badge("○ open", RED),
    "quarantined": Badge("■ quarantined", RED),
}
_GOOD = frozenset({"running", "ready"})
_BETWEEN = frozenset({"starting", "up", "begun", "restarting"})
_AT_REST = frozenset({"stopped"})


def mode_badge(mode: str) -> Badge:
    """Return how a mode is shown; one that is not known is shown as loud as LIVE."""
    return _MODES.get(mode) or Badge(f" {mode or '?'} ", _ON_RED)


def rung_badge(rung: str) -> Badge | None:
    """Return how a rung of the halt ladder is shown, None while it is not known."""
    return (_RUNGS.get(rung) or Badge(f" {rung} ", _ON_RED)) if rung else None


def breaker_badge(state: str) -> Badge:
    """Return how a circuit breaker's state is shown."""
    word = state.lower().replace("_", "-")
    return _BREAKERS.get(word) or Badge(state or NOTHING, AMBER if state else FAINT)


def status_badge(status: str) -> Badge:
    """Return how an actor's status is shown; a word that is not known counts as trouble."""
    word = status.lower().replace("_", " ")
    if word in _GOOD:
        return Badge(f"● {word}", TEAL)
    if word in _BETWEEN:
        return Badge(f"◐ {word}", AMBER)
    if word in _AT_REST:
        return Badge(f"○ {word}", MUTED)
    return Badge(f"■ {word}", RED) if word else Badge(NOTHING, FAINT)


def gain_style(amount: float) -> Style:
    """Return the style of a gain or a loss."""
    return PLAIN if amount == 0.0 else TEAL if amount > 0.0 else VERMILION


def signed(amount: float, digits: int = 2) -> str:
    """Return an amount with its sign; what rounds to zero has none."""
    text = f"{amount:+,.{digits}f}"
    return text[1:] if float(text.replace(",", "")) == 0.0 else text.replace("-", "−")
