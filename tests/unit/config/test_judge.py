"""Refuse every fault of every field, and name the field (reliability: configuration row; requirement A5)."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from config.documents import Document, KeyPath, value_at
from config.fields import field_at, plain_type, present, range_of, unit_of
from config.judge import judge
from config.loader import shipped_document
from config.settings import SECTIONS
from config.violations import Violation, key_path

EVERY_OVERRIDE = {
    "sector": "energy",
    "profile": "equity",
    "tick": 0.05,
    "lots_per_unit": 100,
    "multiplier": 10.0,
    "currency": "EUR",
    "calendar": "XETR",
    "settlement_sessions": 2,
    "shortable": False,
}
ABSENT = object()
OF_A_WRONG_TYPE: dict[str, object] = {
    "text": "12",
    "nothing": None,
    "a list": (1,),
    "a mapping": {"a": 1},
    "another text": "true",
}
NUMBERS: dict[str, object] = {
    "a boolean": True,
    "NaN": math.nan,
    "infinite": math.inf,
    "minus infinite": -math.inf,
    "negative": -1,
    "huge": 10**18,
    "huge float": 1e300,
    "beyond float": 10**400,
}
INTEGERS: dict[str, object] = {"a fraction": 1.5, "a float": 2.0}
FLAGS: dict[str, object] = {"a number": 1, "zero": 0, "a float": 1.0, "infinite": math.inf, "NaN": math.nan}
TEXTS: dict[str, object] = {
    "a boolean": True,
    "a number": 5,
    "NaN": math.nan,
    "empty": "",
    "huge": "a" * 500,
    "a line break": "a\nb",
}


def data_of(name: str) -> Any:
    """Return the shipped data of a section, with every optional key present."""
    data = copy.deepcopy(shipped_document(SECTIONS[name][0]).data)
    assert isinstance(data, dict)
    if name == "universe":
        data["symbols"] = {"AAA": {"sector": "energy"}, "BBB": dict(EVERY_OVERRIDE)}
    if name == "strategies":
        data["strategies"][0].update(symbols=("AAA", "BBB"), file="mine.py", parameters={"period": 3})
    return data


def steps(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the path of every key and every list entry below `value`."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, tuple) else ()
    for key, item in pairs:
        yield (*path, key)
        yield from steps(item, (*path, key))


def changed(data: Any, path: KeyPath, new: object) -> Any:
    """Return a copy of `data` with `new` at `path`, or nothing there where `new` is ABSENT."""
    if not path:
        return new
    copied: Any = list(data) if isinstance(data, tuple) else dict(data)
    if new is ABSENT and len(path) == 1:
        del copied[path[0]]
    else:
        copied[path[0]] = changed(copied[path[0]] if path[0] in _keys(copied) else None, path[1:], new)
    return tuple(copied) if isinstance(data, tuple) else copied


def _keys(value: Any) -> Any:
    return range(len(value)) if isinstance(value, list) else value


def wrong_values(kind: Any) -> dict[str, object]:
    """Return values that a field of type `kind` must refuse."""
    if kind in (int, float):
        return OF_A_WRONG_TYPE | NUMBERS | (INTEGERS if kind is int else {})
    if kind is bool:
        return OF_A_WRONG_TYPE | FLAGS
    if kind is object:
        return {"nothing": None, "a list": (1,), "a mapping": {"a": 1}, "NaN": math.nan, "infinite": math.inf}
    if kind is str:
        return {k: v for k, v in OF_A_WRONG_TYPE.items() if k in ("nothing", "a list", "a mapping")} | TEXTS
    return {"a number": 5, "text": "no_such", "nothing": None, "a boolean": True, "NaN": math.nan}


def cases() -> Iterator[Any]:
    """Yield (section, path, value) for every field and every value that it must refuse."""
    for name, (_, model) in SECTIONS.items():
        for path in steps(data_of(name)):
            field = field_at(model, path)
            assert field is not None, path
            for what, value in wrong_values(plain_type(present(field).annotation)).items():
                if not (value is None and _may_be_absent(model, path)):
                    yield pytest.param(name, path, value, id=f"{name}-{key_path(path)}-{what}")


def _owner(model: type[BaseModel], path: KeyPath) -> dict[str, FieldInfo]:
    """Return the fields of the section whose key `path` is; empty for an entry of a list or mapping."""
    parent = field_at(model, path[:-1])
    kind = plain_type(parent.annotation) if parent else model
    return kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {}


def _required(model: type[BaseModel], path: KeyPath) -> bool:
    fields = _owner(model, path)
    return bool(fields) and fields[str(path[-1])].is_required()


def _may_be_absent(model: type[BaseModel], path: KeyPath) -> bool:
    fields = _owner(model, path)
    return bool(fields) and not fields[str(path[-1])].is_required()


def faults(name: str, data: object) -> list[Violation]:
    """Return what the section's model finds in `data`."""
    file, model = SECTIONS[name]
    value, found = judge(Document(file, data, {}, ()), model, shipped_document(file))
    assert (value is None) == bool(found)
    return found


@pytest.mark.parametrize(("name", "path", "value"), list(cases()))
def test_wrong_value_is_refused_and_named(name: str, path: KeyPath, value: object) -> None:
    """Wrong type, NaN, infinite, negative, huge: refused, with the key, the value and what is allowed."""
    found = faults(name, changed(data_of(name), path, value))
    ours = [
        v
        for v in found
        if v.key == key_path(path) or v.key.startswith((key_path(path) + ".", key_path(path) + "["))
    ]
    assert ours, found
    assert found == ours
    assert all(v.file == SECTIONS[name][0] and v.found and v.allowed for v in found)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        pytest.param(name, path, id=f"{name}-{key_path(path)}")
        for name, (_, model) in SECTIONS.items()
        for path in steps(data_of(name))
        if _required(model, path)
    ],
)
def test_missing_key_is_refused_and_named(name: str, path: KeyPath) -> None:
    """The models hold no defaults: the files are the one source of numbers (A5)."""
    found = faults(name, changed(data_of(name), path, ABSENT))
    assert [v.key for v in found] == [key_path(path)]
    assert found[0].found == "nothing"
    assert found[0].allowed.startswith("required: ")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        pytest.param(name, path, id=f"{name}-{key_path(path)}")
        for name, (_, model) in SECTIONS.items()
        for path in [(), *steps(data_of(name))]
        if isinstance(value_at(data_of(name), path), dict)
        and (not path or issubclass(plain_type(present(field_at(model, path)).annotation), BaseModel))  # type: ignore[arg-type]
    ],
)
def test_unknown_key_is_refused_and_the_nearest_named(name: str, path: KeyPath) -> None:
    data = data_of(name)
    known = next(iter(value_at(data, path)))  # type: ignore[call-overload]
    misspelt = str(known) + "x"
    found = faults(name, changed(data, (*path, misspelt), 1))
    assert [v.key for v in found] == [key_path((*path, misspelt))]
    assert f"did you mean {known}?" in found[0].allowed


def test_every_field_says_what_it_is() -> None:
    for name, (_, model) in SECTIONS.items():
        for path in steps(data_of(name)):
            field = field_at(model, path)
            assert field is not None
            field = present(field)
            is_part = (
                issubclass(kind, BaseModel)
                if isinstance(kind := plain_type(field.annotation), type)
                else True
            )
            assert range_of(field), path
            assert is_part or field.description or kind is object, path
            assert is_part or unit_of(field) or kind is object, path


def test_shipped_files_are_accepted_with_every_optional_key() -> None:
    for name in SECTIONS:
        assert faults(name, data_of(name)) == []


def test_missing_value_comes_with_the_shipped_one() -> None:
    found = faults("risk", changed(data_of("risk"), ("max_daily_loss",), ABSENT))
    assert str(found[0]) == (
        "risk_management.yaml: max_daily_loss: found nothing; required: a number above 0 to 0.1 "
        "(fraction of equity); the shipped file has 0.02"
    )


def test_key_that_is_no_symbol_is_refused() -> None:
    found = faults("universe", changed(data_of("universe"), ("symbols", "A B"), {"sector": "energy"}))
    assert [(v.key, v.found) for v in found] == [("symbols.A B", "the key 'A B'")]


def test_list_too_short_is_named_but_not_for_its_refused_entries() -> None:
    empty = faults("books", changed(data_of("books"), ("books", 0, "strategies"), ()))
    assert [v.key for v in empty] == ["books[0].strategies"]
    wrong = faults("books", changed(data_of("books"), ("books", 0, "share"), 2))
    assert [v.key for v in wrong] == ["books[0].share"]


@pytest.mark.parametrize(
    ("key", "edges"),
    [
        ("max_daily_loss", ([1e-9, 0.10], [0, 0.10000001])),
        ("max_total_drawdown", ([0.1, 0.30], [0, 0.30000001])),
        ("max_portfolio_heat", ([1e-9, 0.50], [0, 0.50000001])),
        ("stop_loss_percent", ([0.01, 0.05], [0.00999999, 0.05000001])),
    ],
)
def test_ranges_of_a5_hold_at_their_edges(key: str, edges: tuple[list[float], list[float]]) -> None:
    """A5: max_daily_loss (0, 0.10], max_total_drawdown (0, 0.30], max_portfolio_heat (0, 0.50], stop [0.01, 0.05]."""
    allowed, refused = edges
    for value in allowed:
        assert faults("risk", changed(data_of("risk"), (key,), value)) == []
    for value in refused:
        assert [v.key for v in faults("risk", changed(data_of("risk"), (key,), value))] == [key]


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
trees = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
)


@given(st.sampled_from(sorted(SECTIONS)), st.data())
def test_any_tree_in_any_place_is_judged_without_a_crash(name: str, draw: st.DataObject) -> None:
    data = data_of(name)
    path = draw.draw(st.sampled_from([(), *steps(data)]))
    tree = draw.draw(st.dictionaries(st.text(max_size=8), trees, max_size=3) if not path else trees)
    for violation in faults(name, changed(data, path, tree)):
        assert "\n" not in str(violation)
