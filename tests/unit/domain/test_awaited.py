from __future__ import annotations

import pytest

from domain.awaited import Awaited
from domain.errors import Unanswered
from domain.outputs import CancelTimer, SetTimer


def test_answer_is_asked_for_so_often_and_no_more() -> None:
    answer = Awaited("word", 6.0, 3)
    timer = SetTimer("word", 6.0)
    assert [answer.asked(), answer.again("it"), answer.again("it")] == [timer] * 3
    with pytest.raises(Unanswered, match="it did not come: asked for 3 times, 6 s each"):
        answer.again("it")


def test_part_of_an_answer_renews_the_patience() -> None:
    answer = Awaited("word", 6.0, 2)
    answer.asked()
    answer.again("it")
    answer.asked()
    assert answer.again("it") == SetTimer("word", 6.0)
    assert answer.answered() == CancelTimer("word")
