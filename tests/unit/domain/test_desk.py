"""Votes become targets: agreement enters, opposition exits, everything else holds (requirements A2, A3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.desk import NO_VOTES, Action, Tally, ballots, target, votes_body, votes_needed
from domain.messages import SignalBatch
from domain.risk.limits import BookSettings
from tests.unit.domain.risk.bench import MAIN, batch

NAMES = "abcdef"
BOOK = MAIN._replace(strategies=tuple(NAMES))


def votes(text: str, confidence: float = 0.8) -> list[SignalBatch]:
    """Return batches on AAPL from one letter a strategy: + buys, - sells, 0 abstains, x failed."""
    found: list[SignalBatch] = []
    for name, said in zip(NAMES, text, strict=False):
        direction = {"+": 1, "-": -1}.get(said, 0)
        found.append(
            batch(7, name, {"AAPL": (direction, confidence)}, failed=["AAPL"] if said == "x" else ())
        )
    return found


def tally(book: BookSettings, batches: list[SignalBatch]) -> dict[str, Tally]:
    return {symbol: ballot.tally() for symbol, ballot in ballots(book, batches).items()}


def wanted(book: BookSettings, text: str, lots: int, *, shortable: bool = True) -> tuple[Action, int]:
    counted = tally(book, votes(text)).get("AAPL", NO_VOTES)
    found = target(book, counted, lots, shortable=shortable)
    return found.action, found.direction


ENTER, EXIT, HOLD = Action.ENTER, Action.EXIT, Action.HOLD


@pytest.mark.parametrize(
    ("text", "lots", "action", "direction"),
    [
        ("", 0, HOLD, 0),
        ("+", 0, HOLD, 0),  # one vote is never enough
        ("+00000", 0, HOLD, 0),
        ("++", 0, ENTER, 1),
        ("++++++", 0, ENTER, 1),
        ("++-", 0, ENTER, 1),
        ("++--", 0, HOLD, 0),  # two against two cancel out
        ("+++--", 0, HOLD, 0),
        ("+-", 0, HOLD, 0),
        ("--", 0, HOLD, 0),  # shorts are not allowed in this book
        ("++", 10, HOLD, 0),  # it is held already
        ("-", 10, HOLD, 0),  # fewer opposite votes hold
        ("--", 10, EXIT, 0),
        ("--++", 10, EXIT, 0),
        ("+", -10, HOLD, 0),
        ("++", -10, EXIT, 0),
        ("--", -10, HOLD, 0),
        ("++x", 0, HOLD, 0),  # a strategy that votes on it failed
        ("--x", 10, HOLD, 0),
        ("x", 10, HOLD, 0),
    ],
)
def test_vote_rule(text: str, lots: int, action: Action, direction: int) -> None:
    """A2, A3 with `min_votes` 2."""
    assert wanted(BOOK, text, lots) == (action, direction)


@pytest.mark.parametrize(
    ("allow_short", "shortable", "expected"),
    [
        (True, True, (ENTER, -1)),
        (True, False, (HOLD, 0)),
        (False, True, (HOLD, 0)),
        (False, False, (HOLD, 0)),
    ],
)
def test_short_needs_the_books_leave_and_a_shortable_instrument(
    allow_short: bool, shortable: bool, expected: tuple[Action, int]
) -> None:
    book = BOOK._replace(allow_short=allow_short)
    assert wanted(book, "--", 0, shortable=shortable) == expected


@pytest.mark.parametrize(
    ("text", "lots", "expected"),
    [
        ("+", 0, (ENTER, 1)),
        ("-", 10, (EXIT, 0)),
        ("+-", 0, (HOLD, 0)),
        ("0", 0, (HOLD, 0)),
        ("x+", 0, (HOLD, 0)),
    ],
)
def test_independent_rule_takes_one_vote(text: str, lots: int, expected: tuple[Action, int]) -> None:
    book = BOOK._replace(rule="independent", min_votes=1)
    assert wanted(book, text, lots) == expected


def test_confidence_is_the_mean_of_those_who_agree() -> None:
    """The opposite vote, and whoever abstains, says nothing about how sure the others are."""
    heard = [
        batch(1, "a", {"AAPL": (1, 0.6)}),
        batch(1, "b", {"AAPL": (1, 0.9)}),
        batch(1, "c", {"AAPL": (-1, 0.1)}),
        batch(1, "d", {"AAPL": (0, 0.0)}),
    ]
    found = target(BOOK, tally(BOOK, heard)["AAPL"], 0, shortable=True)
    assert found.confidence == pytest.approx(0.75)
    assert found.reason == "2 votes to buy: a, b"
    left = target(BOOK, tally(BOOK, heard)["AAPL"], -5, shortable=True)
    assert (left.action, left.confidence) == (EXIT, pytest.approx(0.75))


def test_votes_of_other_books_strategies_do_not_count() -> None:
    other = BOOK._replace(name="other", strategies=("e", "f"))
    heard = votes("++0000")
    assert tally(other, heard) == {}
    assert set(tally(BOOK, heard)) == {"AAPL"}


def test_failure_is_kept_to_its_symbol() -> None:
    """A2: no order for that symbol; others trade."""
    heard = [batch(1, n, {"AAPL": (1, 0.8), "XOM": (1, 0.8)}) for n in "ab"]
    heard.append(batch(1, "c", failed=["AAPL"]))
    found = {s: target(BOOK, v, 0, shortable=True) for s, v in tally(BOOK, heard).items()}
    assert (found["AAPL"].action, found["XOM"].action) == (HOLD, ENTER)
    assert found["AAPL"].reason == "c failed: no order from this bar"


def test_votes_are_worded_for_the_audit_trail() -> None:
    found = tally(BOOK, votes("+-x"))["AAPL"]
    assert votes_body(found) == {
        "long": ["a"],
        "short": ["b"],
        "long_confidence": 0.8,
        "short_confidence": 0.8,
        "failed": ["c"],
    }


@given(
    text=st.text("+-0x", max_size=6),
    lots=st.integers(-5, 5),
    min_votes=st.integers(1, 6),
    allow_short=st.booleans(),
    shortable=st.booleans(),
)
def test_whatever_is_wanted_has_the_votes_for_it(
    text: str, lots: int, min_votes: int, allow_short: bool, shortable: bool
) -> None:
    book = BOOK._replace(min_votes=min_votes, allow_short=allow_short)
    action, direction = wanted(book, text, lots, shortable=shortable)
    longs, shorts = text.count("+"), text.count("-")
    if action is ENTER:
        assert lots == 0
        assert (longs if direction > 0 else shorts) >= min_votes
        assert (shorts if direction > 0 else longs) < min_votes
        assert direction > 0 or (allow_short and shortable)
    if action is EXIT:
        assert lots != 0
        assert (shorts if lots > 0 else longs) >= min_votes
    if action is not HOLD:
        assert "x" not in text


@given(st.text(alphabet="+-0x", min_size=6, max_size=6), st.sampled_from((-5, 0, 5)))
def test_votes_that_do_not_matter_lead_to_nothing(text: str, lots: int) -> None:
    """The desk passes such symbols over, unless an exit is owed."""
    needed = votes_needed(BOOK)
    ballot = ballots(BOOK, votes(text)).get("AAPL")
    found = target(BOOK, NO_VOTES if ballot is None else ballot.tally(), lots, shortable=True)
    if ballot is None or not ballot.matters(needed):
        assert (found.action, found.reason) == (Action.HOLD, "")
