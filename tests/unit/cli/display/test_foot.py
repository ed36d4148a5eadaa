from __future__ import annotations

import pytest

from cli.display.foot import Notice, foot
from cli.display.keys import Dialogue, Key, Stroke
from tests.unit.cli.display.samples import text


def at(keys: str) -> Dialogue:
    dialogue = Dialogue()
    for character in keys:
        dialogue.press(Key(Stroke.TEXT, character))
    return dialogue


def line(keys: str, width: int = 80, notice: Notice | None = None) -> str:
    return text([foot(at(keys), notice, width, keys=True)])[0]


def test_the_keys_are_told_and_the_last_answer_beside_them() -> None:
    assert line("", notice=Notice("halted", good=True)) == f"{'h halt   r resume   q quit':<73} halted"


def test_where_nobody_can_type_only_the_signal_is_told() -> None:
    assert text([foot(Dialogue(), None, 80, keys=False)]) == ["Ctrl-C stop"]


@pytest.mark.parametrize(
    ("keys", "asks"),
    [
        ("h", "Halt: end entries, keep stops, no new exposure?  y yes  n no"),
        ("r", "Resume trading?  y yes  n no"),
        ("q", "Stop in order? A later run goes on from here.  y yes  n no"),
    ],
)
def test_a_question_says_what_would_happen(keys: str, asks: str) -> None:
    assert line(keys) == asks


def test_a_narrow_line_asks_shortly() -> None:
    assert line("h", 40) == "Halt?  y yes  n no"


def test_the_end_of_a_long_reason_is_seen() -> None:
    shown = line("hy" + "a" * 100 + "END")
    assert shown.startswith("halt because: aaa")
    assert "aEND▏" in shown
    assert shown.endswith("Enter sends  Esc leaves")


def test_a_long_answer_is_cut_and_not_the_keys() -> None:
    shown = line("", notice=Notice("x" * 200, good=False))
    assert shown.startswith("h halt")
    assert shown.endswith("…")
    assert len(shown) == 80
