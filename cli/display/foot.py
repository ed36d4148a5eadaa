"""Show, at the bottom, which keys do what, the question that is asked, and how the last wish was answered."""

from __future__ import annotations

from typing import NamedTuple

from rich.segment import Segment

from cli.display.keys import Dialogue, Step, Wish
from cli.display.lines import Line, cells, ends, fit, piece
from cli.display.styles import AMBER, BOLD, FAINT, MUTED, RED, TEAL

_QUESTIONS = {
    Wish.HALT: "Halt: end entries, keep stops, no new exposure?",
    Wish.RESUME: "Resume trading?",
    Wish.QUIT: "Stop in order? A later run goes on from here.",
}
_SHORT = {Wish.HALT: "Halt?", Wish.RESUME: "Resume?", Wish.QUIT: "Stop?"}


class Notice(NamedTuple):
    """Be a word on the last wish: under way (None), done, or refused."""

    text: str
    good: bool | None = None


def foot(dialogue: Dialogue, notice: Notice | None, width: int, *, keys: bool) -> Line:
    """Return the last line; without `keys` nothing can be typed here."""
    if dialogue.step is Step.CONFIRM:
        answers: Line = [
            Segment("  y", BOLD),
            Segment(" yes  ", MUTED),
            Segment("n", BOLD),
            Segment(" no", MUTED),
        ]
        question = _QUESTIONS[dialogue.wish]
        if len(question) + cells(answers) > width:
            question = _SHORT[dialogue.wish]
        return fit([Segment(question, RED if dialogue.wish is Wish.HALT else AMBER), *answers], width)
    if dialogue.step is Step.REASON:
        return _reason(dialogue, width)
    left: Line = []
    for key, word in (("h", "halt"), ("r", "resume"), ("q", "quit")) if keys else (("Ctrl-C", "stop"),):
        left += [Segment(key, BOLD), Segment(f" {word}   ", MUTED)]
    right: Line = []
    if notice is not None:
        right = [piece(notice.text, AMBER if notice.good is None else TEAL if notice.good else RED)]
        right = fit(right, min(cells(right), max(0, width - cells(left) - 1)))
    return ends(left, right, width)


def _reason(dialogue: Dialogue, width: int) -> Line:
    """Return what was typed so far; of a long reason its end is seen."""
    ask = [Segment(f"{dialogue.wish.value} because: ", AMBER)]
    hint: Line = [
        Segment("  Enter", BOLD),
        Segment(" sends  ", MUTED),
        Segment("Esc", BOLD),
        Segment(" leaves", MUTED),
    ]
    room = width - cells(ask) - cells(hint) - 2  # for the cursor and a blank
    typed = dialogue.typed[-room:] if room > 0 else ""
    return ends([*ask, piece(typed, BOLD), Segment("▏", FAINT)], hint, width)
