"""Tie keys together within and across files (requirement A5, C1, B4)."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from config.documents import Document
from config.loader import shipped_document
from config.mode import TradingMode
from config.rules import ORDERED, Rules
from config.settings import SECTIONS
from config.violations import Violation

FILES = [file for file, _ in SECTIONS.values()]


class Draft:
    """Hold a copy of the shipped data that a test may change."""

    def __init__(self) -> None:
        """Copy every file's data."""
        self.data: dict[str, Any] = {file: copy.deepcopy(shipped_document(file).data) for file in FILES}

    def set(self, file: str, key: str, value: object) -> Draft:
        """Put `value` at the dotted `key` (mappings only)."""
        *path, last = key.split(".")
        at = self.data[file]
        for step in path:
            at = at[step]
        at[last] = value
        return self

    def violations(
        self, mode: TradingMode = TradingMode.SIMULATION, directory: Path | None = None
    ) -> list[Violation]:
        """Return what the rules find."""
        documents = {file: Document(file, data, {}, ()) for file, data in self.data.items()}
        return list(Rules(documents, mode, directory).violations())

    def keys(self) -> list[tuple[str, str]]:
        """Return file and key of what the rules find."""
        return [(v.file, v.key) for v in self.violations()]


def book(name: str, share: float, strategies: tuple[object, ...], **other: object) -> dict[str, object]:
    """Return a book."""
    base = {"id": name, "share": share, "rule": "vote", "min_votes": 1, "allow_short": False}
    return base | {"strategies": strategies} | other


def instance(name: str, **other: object) -> dict[str, object]:
    """Return a strategy's instance."""
    return {"id": name, "strategy": "momentum", "parameters": {}} | other


def drafted(books: tuple[object, ...], instances: tuple[object, ...]) -> Draft:
    """Return a draft with these books and instances."""
    draft = Draft()
    draft.data["books.yaml"]["books"] = books
    draft.data["strategies.yaml"]["strategies"] = instances
    return draft


def test_shipped_files_keep_every_rule() -> None:
    assert Draft().violations() == []


@pytest.mark.parametrize(
    ("file", "low", "high"), [(f, a, b) for f, pairs in ORDERED.items() for a, b in pairs]
)
def test_first_key_of_a_pair_must_not_exceed_the_second(file: str, low: str, high: str) -> None:
    """A5: max_daily_loss <= max_total_drawdown; min <= base <= max; and the like."""
    above = Draft().set(file, low, 0.2).set(file, high, 0.1).violations()
    assert [str(v) for v in above if v.key == low and f"must not exceed {high} " in v.allowed] == [
        f"{file}: {low}: found 0.2; must not exceed {high} (which is 0.1)"
    ]
    equal = Draft().set(file, low, 0.1).set(file, high, 0.1).violations()
    assert [v for v in equal if v.key == low and f"must not exceed {high} " in v.allowed] == []


def test_pair_with_a_key_of_a_wrong_type_is_left_to_that_key() -> None:
    assert Draft().set("risk_management.yaml", "position_size.base", "2000").keys() == []


def test_heat_warnings_rise() -> None:
    draft = Draft().set("risk_management.yaml", "heat_warnings", (0.1, 0.1, 0.05))
    assert draft.keys() == [
        ("risk_management.yaml", "heat_warnings[1]"),
        ("risk_management.yaml", "heat_warnings[2]"),
    ]


@pytest.mark.parametrize(
    ("shares", "refused"), [((0.5, 0.5), False), ((0.1,) * 10, False), ((0.6, 0.5), True)]
)
def test_shares_of_the_books_add_up_to_one_at_most(shares: tuple[float, ...], refused: bool) -> None:
    books = tuple(book(f"b{i}", share, (f"s{i}",)) for i, share in enumerate(shares))
    draft = drafted(books, tuple(instance(f"s{i}") for i in range(len(shares))))
    assert draft.keys() == ([("books.yaml", "books")] if refused else [])


@pytest.mark.parametrize(
    ("rule", "votes", "refused"),
    [("vote", 2, False), ("vote", 3, True), ("independent", 1, False), ("independent", 2, True)],
)
def test_votes_fit_the_rule_and_the_number_of_strategies(rule: str, votes: int, refused: bool) -> None:
    draft = drafted(
        (book("b", 1, ("s1", "s2"), rule=rule, min_votes=votes),), (instance("s1"), instance("s2"))
    )
    assert draft.keys() == ([("books.yaml", "books[0].min_votes")] if refused else [])


def test_books_and_instances_name_each_other() -> None:
    draft = drafted((book("b", 1, ("fast", "slo")),), (instance("fast"), instance("slow")))
    assert [str(v) for v in draft.violations()] == [
        "books.yaml: books[0].strategies[1]: found 'slo'; did you mean slow? strategies.yaml has: fast, slow",
        "strategies.yaml: strategies[1].id: found 'slow'; name it in a book (books.yaml) or remove it: "
        "no book trades it",
    ]


def test_instance_belongs_to_one_book_and_is_named_once() -> None:
    draft = drafted((book("a", 0.5, ("s",)), book("b", 0.5, ("s",))), (instance("s"),))
    assert draft.keys() == [("books.yaml", "books[1].strategies[0]")]


def test_ids_are_unique() -> None:
    draft = drafted(
        (book("a", 0.5, ("s",)), book("a", 0.5, ("t",))), (instance("s"), instance("t"), instance("s"))
    )
    assert draft.keys() == [("books.yaml", "books[1].id"), ("strategies.yaml", "strategies[2].id")]


def test_malformed_entries_are_passed_over_without_hiding_others() -> None:
    draft = drafted((5, book("a", 1, (3, "s", "x"), min_votes="9")), ("no", instance("s"), {"id": 4}))
    assert draft.keys() == [("books.yaml", "books[1].strategies[2]")]


@pytest.mark.parametrize("wreck", [None, 5, "text", (), {}])
def test_files_without_content_break_no_rule_and_no_code(wreck: object) -> None:
    draft = Draft()
    for file in FILES:
        draft.data[file] = wreck
    assert draft.violations(TradingMode.LIVE) == []


def test_profiles_that_symbols_imply_must_exist_and_be_of_their_kind() -> None:
    draft = Draft().set("universe.yaml", "profiles.spot.kind", "equity")
    del draft.data["universe.yaml"]["profiles"]["perpetual"]
    assert draft.keys() == [("universe.yaml", "profiles.spot.kind"), ("universe.yaml", "profiles.perpetual")]


def test_profile_of_a_symbol_must_exist() -> None:
    draft = Draft().set("universe.yaml", "symbols.AAPL", {"sector": "technology", "profile": "equty"})
    (violation,) = draft.violations()
    assert violation.key == "symbols.AAPL.profile"
    assert violation.allowed == "did you mean equity? profiles: equity, spot, perpetual"


def test_default_universe_names_a_symbol_once() -> None:
    assert Draft().set("universe.yaml", "default", ("A", "B", "A")).keys() == [
        ("universe.yaml", "default[2]")
    ]


def test_file_of_a_strategy_must_exist(tmp_path: Path) -> None:
    (tmp_path / "mine.py").touch()
    books = (book("b", 1, ("s", "t", "u")),)
    draft = drafted(
        books,
        (instance("s", file="mine.py"), instance("t", file="gone.py"), instance("u", file="/gone/b.py")),
    )
    found = [(v.key, v.allowed) for v in draft.violations(directory=tmp_path)]
    assert found == [
        ("strategies[1].file", f"no such file: {tmp_path}/gone.py"),
        ("strategies[2].file", "no such file: /gone/b.py"),
    ]


@pytest.mark.parametrize("mode", TradingMode)
def test_a_stop_closes_no_position_and_leaves_none_without_its_stop(mode: TradingMode) -> None:
    """C3: a key that cannot be obeyed is refused, with the reason, rather than passed over."""
    draft = (
        Draft()
        .set("shutdown.yaml", "close_positions", True)
        .set("shutdown.yaml", "keep_protective_stops", False)
        .set("risk_management.yaml", "halt.resume_after_sessions", 0)
        .set("engine.yaml", "account.id", "U1")
    )
    found = {v.key: v.allowed for v in draft.violations(mode)}
    assert set(found) == {"close_positions", "keep_protective_stops"}
    assert found["close_positions"].startswith(
        "must be false in this version: in a replay no bar follows a stop"
    )
    assert found["keep_protective_stops"].startswith("must be true unless positions are closed")


def test_live_refuses_resuming_by_itself_and_an_unnamed_account() -> None:
    """B4: resume_after_sessions cannot be set in LIVE; C1: LIVE needs the account named."""
    found = [(v.file, v.key) for v in Draft().violations(TradingMode.LIVE)]
    assert found == [("risk_management.yaml", "halt.resume_after_sessions"), ("engine.yaml", "account.id")]
    draft = (
        Draft()
        .set("risk_management.yaml", "halt.resume_after_sessions", 0)
        .set("engine.yaml", "account.id", "U1")
    )
    assert draft.violations(TradingMode.LIVE) == []


def test_paper_takes_the_shipped_files() -> None:
    assert Draft().violations(TradingMode.PAPER) == []


@pytest.mark.parametrize(("lease_s", "held"), [(1.9, False), (2.0, True), (5.0, True)])
def test_a_lease_outlives_a_pulse_that_is_late(lease_s: float, held: bool) -> None:
    """Pulses come each second: a lease of less than two would end with the first that is late."""
    found = Draft().set("engine.yaml", "supervision.lease_s", lease_s).violations(TradingMode.SIMULATION)
    assert [violation.key for violation in found] == ([] if held else ["supervision.lease_s"])
