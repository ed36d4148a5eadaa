"""Build fields that are bounded, described and frozen."""

from __future__ import annotations

import copy
import pickle

import pytest

from config.engine import Engine
from config.fields import FrozenMap, field_at, number
from config.violations import Violation, key_path, nearest, shown


@pytest.mark.parametrize(
    "bounds",
    [{}, {"least": 0}, {"most": 1}, {"above": 0, "least": 0, "most": 1}, {"least": 0, "below": 1, "most": 1}],
)
def test_number_needs_one_bound_on_each_side(bounds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="one lower and one upper bound"):
        number("a figure", "s", **bounds)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.__setitem__("a", 2),
        lambda m: m.__delitem__("a"),
        lambda m: m.__ior__({"b": 1}),
        lambda m: m.clear(),
        lambda m: m.pop("a"),
        lambda m: m.popitem(),
        lambda m: m.setdefault("b", 1),
        lambda m: m.update(b=1),
    ],
)
def test_frozen_map_refuses_every_change(change: object) -> None:
    frozen = FrozenMap({"a": 1})
    assert callable(change)
    with pytest.raises(TypeError, match="configuration is frozen"):
        change(frozen)
    assert frozen == {"a": 1}


def test_frozen_map_stays_frozen_when_copied_or_pickled() -> None:
    frozen = FrozenMap({"a": 1})
    for twin in (copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):
        assert twin == frozen
        assert type(twin) is FrozenMap


@pytest.mark.parametrize(
    "path", [("nowhere",), ("account", "id", "x"), ("account", 0), ("account", "nowhere", "x")]
)
def test_path_to_nothing_has_no_field(path: tuple[str | int, ...]) -> None:
    assert field_at(Engine, path) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing (null)"),
        (True, "true"),
        (False, "false"),
        (1.5, "1.5"),
        ("a", "'a'"),
        ("a\nb", "'a\\nb'"),
        ({}, "an empty mapping"),
        ({"a": 1}, "a mapping"),
        ((1, 2), "a list of 2"),
        (10**400, "a whole number of 1329 bits"),
        ("x" * 200, "'" + "x" * 76 + "..."),
    ],
)
def test_value_is_shown_on_one_short_line(value: object, text: str) -> None:
    assert shown(value) == text


def test_nearest_name_is_hinted_only_when_near() -> None:
    assert nearest("max_daily_los", ["max_daily_loss", "x"]) == "did you mean max_daily_loss? "
    assert nearest("zzz", ["max_daily_loss", "x"]) == ""


def test_key_path_has_dots_and_brackets() -> None:
    assert key_path(("books", 0, "strategies", 2)) == "books[0].strategies[2]"
    assert key_path(()) == ""


def test_violation_reads_as_one_line() -> None:
    broken = Violation("a.yaml", key_path(("a\nb", "\x1b[31m")), "1", "allowed: 2")
    assert str(broken) == "a.yaml: a\\nb.\\x1b[31m: found 1; allowed: 2"
    assert len(key_path(("x" * 10_000,))) == 80
    assert str(Violation("a.yaml", "b.c", "1", "allowed: 2", 7)) == "a.yaml:7: b.c: found 1; allowed: 2"
    assert str(Violation("a.yaml", "", "1", "allowed: 2")) == "a.yaml: found 1; allowed: 2"
