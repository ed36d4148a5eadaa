from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.display.keys import LONGEST_REASON, Asked, Dialogue, Key, KeyDecoder, Step, Stroke, Wish

ENTER, ESCAPE, ERASE = Key(Stroke.ENTER), Key(Stroke.ESCAPE), Key(Stroke.ERASE)


def typed(characters: str) -> list[Key]:
    return [Key(Stroke.TEXT, character) for character in characters]


def press(dialogue: Dialogue, keys: list[Key]) -> list[Asked]:
    return [asked for key in keys if (asked := dialogue.press(key)) is not None]


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"hy", typed("hy")),
        (b"\r", [ENTER]),
        (b"\n", [ENTER]),
        (b"\x7f\x08", [ERASE, ERASE]),
        (b"\x1b", [ESCAPE]),
        (b"\x15", [Key(Stroke.CLEAR)]),
        (b"\x1b[A\x1bOP\x1b[15~h", typed("h")),
        (b"\x1b[200~r", typed("r")),
        ("é€".encode(), typed("é€")),
        (b"\xff\x01\t", []),
    ],
)
def test_bytes_become_keys(data: bytes, keys: list[Key]) -> None:
    assert KeyDecoder().feed(data) == keys


def test_a_character_and_a_sequence_may_come_in_pieces() -> None:
    decoder = KeyDecoder()
    assert decoder.feed("é".encode()[:1]) == []
    assert decoder.feed("é".encode()[1:] + b"\x1b[1") == typed("é")
    assert decoder.feed(b";5Cq") == typed("q")


@given(st.lists(st.binary(max_size=8), max_size=8))
def test_no_bytes_break_the_decoder(pieces: list[bytes]) -> None:
    decoder = KeyDecoder()
    for piece in pieces:
        assert all(
            len(key.text) <= 1 and (not key.text or key.text.isprintable()) for key in decoder.feed(piece)
        )


@given(st.text(max_size=1), st.sampled_from(list(Stroke)))
def test_no_single_key_does_anything(character: str, stroke: Stroke) -> None:
    assert Dialogue().press(Key(stroke, character)) is None


@pytest.mark.parametrize(("key", "wish"), [("h", Wish.HALT), ("H", Wish.HALT), ("r", Wish.RESUME)])
def test_halt_and_resume_ask_once_more_and_take_a_reason(key: str, wish: Wish) -> None:
    assert press(Dialogue(), [*typed(key + "y fat  finger "), ENTER]) == [Asked(wish, "fat  finger")]


def test_quit_asks_once_more_and_takes_no_reason() -> None:
    assert press(Dialogue(), typed("qy")) == [Asked(Wish.QUIT, "")]


@pytest.mark.parametrize("keys", ["hn", "rn", "qn", "hx", "qq", "q "])
def test_only_yes_is_yes(keys: str) -> None:
    assert press(Dialogue(), [*typed(keys), ENTER]) == []


def test_a_key_that_is_neither_asks_on() -> None:
    assert press(Dialogue(), typed("qxy")) == [Asked(Wish.QUIT, "")]


def test_without_a_reason_nothing_is_sent() -> None:
    dialogue = Dialogue()
    assert press(dialogue, [*typed("hy  "), ENTER]) == []
    assert dialogue.step is Step.REASON
    assert press(dialogue, [*typed("now"), ENTER]) == [Asked(Wish.HALT, "now")]


@pytest.mark.parametrize("keys", ["h", "hy", "hyreason"])
def test_escape_leaves_and_forgets(keys: str) -> None:
    dialogue = Dialogue()
    assert press(dialogue, [*typed(keys), ESCAPE, ENTER]) == []
    assert (dialogue.step, dialogue.typed) == (Step.IDLE, "")


def test_what_was_typed_can_be_erased_and_cleared() -> None:
    dialogue = Dialogue()
    press(dialogue, [*typed("hyabc"), ERASE, ERASE])
    assert dialogue.typed == "a"
    dialogue.press(Key(Stroke.CLEAR))
    assert dialogue.typed == ""


def test_a_reason_has_its_longest() -> None:
    (asked,) = press(Dialogue(), [*typed("hy" + "x" * 500), ENTER])
    assert len(asked.reason) == LONGEST_REASON


def test_letters_of_a_reason_are_no_commands() -> None:
    assert press(Dialogue(), [*typed("hyhrqny"), ENTER]) == [Asked(Wish.HALT, "hrqny")]
