"""Read YAML strictly: what it looks like is what it means, and each fault has its line."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.documents import LARGEST_BYTES, parse_document, read_document


def parsed(text: str) -> object:
    """Return the data of a document without faults."""
    document = parse_document("a.yaml", text.encode())
    assert document.violations == ()
    return document.data


def fault(text: str | bytes) -> str:
    """Return the only fault of a document, as people read it."""
    content = text.encode() if isinstance(text, str) else text
    (violation,) = parse_document("a.yaml", content).violations
    return str(violation)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-7", -7),
        ("+7", 7),
        ("010", 10),
        ("1.5", 1.5),
        ("1e-3", 0.001),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("ON", "ON"),
        ("NO", "NO"),
        ("off", "off"),
        ("True", "True"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("24/7", "24/7"),
        ("2020-01-01", "2020-01-01"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("[1, [2, a]]", (1, (2, "a"))),
        ("{b: {c: 1}}", {"b": {"c": 1}}),
    ],
)
def test_scalar_means_what_it_looks_like(text: str, value: object) -> None:
    result = parsed(f"a: {text}")
    assert result == {"a": value}
    assert isinstance(result, dict)
    assert type(result["a"]) is type(value)


def test_nan_is_read_so_that_the_model_can_refuse_it() -> None:
    result = parsed("a: .nan")
    assert isinstance(result, dict)
    assert math.isnan(result["a"])


def test_mapping_key_may_be_a_ticker_that_yaml_calls_a_boolean() -> None:
    assert parsed("ON: 1\nNO: 2\nY: 3") == {"ON": 1, "NO": 2, "Y": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "a.yaml:4: b.c: found the key a second time; remove it or line 3: a key"),
        ("a: 1\n3: 2\n", "a.yaml:2: found the key '3'; a key must be text; quote it if it looks otherwise"),
        ("? [1]\n: 2\n", "a.yaml:1: found the key a collection; a key must be text; quote it if it looks otherwise"),
        ("a: &x 1\nb: *x\n", "a.yaml:1: b: found an alias (*name); aliases are not allowed: write the value out"),
        ("a: !!python/name:os.system\n", "the tag tag:yaml.org,2002:python/name:os.system; tags are not allowed"),
        ("a: !mine {b: 1}\n", "a.yaml:1: a: found the tag !mine; tags are not allowed: remove it"),
        ("a: !!int x\n", "a.yaml:1: a: found the tag tag:yaml.org,2002:int; tags are not allowed: remove it"),
        ("a: !!binary aGk=\n", "tags are not allowed"),
        ("a: " + "9" * 400, "a.yaml:1: a: found a number of 400 digits; allowed: up to 300 digits"),
        ("a: [1\nb: 2", "a.yaml:2: found bad YAML at line 2, column 2: while parsing a flow sequence"),
        ("a: 'x", "bad YAML at line 1, column 6"),
        ("a: 1\n\tb: 2", "bad YAML at line 2, column 1"),
        ("a: 1\n---\nb: 2", "bad YAML at line 2, column 1"),
        ("a: *x", "bad YAML at line 1, column 4: found undefined alias"),
        ("a: \x07", "bad YAML: unacceptable character"),
        (b"a: \xff", "found a byte that is not UTF-8 at offset 3; save the file as UTF-8"),
        ("a: " + "[" * 3000 + "]" * 3000, "found values nested too deeply"),
        ("", "a.yaml: found an empty file; a mapping of keys is needed"),
        ("# only a comment\n", "a.yaml: found an empty file"),
        ("- 1\n- 2\n", "a.yaml: found a list of 2; a mapping of keys is needed"),
        ("5", "a.yaml: found 5; a mapping of keys is needed"),
    ],
)  # fmt: skip
def test_fault_is_named_with_its_place(text: str | bytes, message: str) -> None:
    assert message in fault(text)


def test_many_aliases_do_not_multiply() -> None:
    """A few lines of aliases can stand for billions of values."""
    lines = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60))]
    document = parse_document("a.yaml", "\n".join(lines).encode())
    assert len(document.violations) == 118


def test_every_duplicate_is_found_at_once() -> None:
    document = parse_document("a.yaml", b"a: 1\na: 2\nb: 1\nb: 2\n")
    assert [(v.key, v.line) for v in document.violations] == [("a", 2), ("b", 4)]


def test_lines_lead_to_keys_and_to_what_encloses_them() -> None:
    document = parse_document("a.yaml", b"a:\n  b:\n    - x: 1\n    - y: 2\n")
    assert document.line(("a", "b", 1, "y")) == 4
    assert document.line(("a", "b", 1, "absent")) == 4
    assert document.line(("absent",)) == 0


def test_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"#" * (LARGEST_BYTES + 1))
    assert "more than 1048576 bytes" in str(read_document(path).violations[0])


def test_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "engine.yaml"
    os.mkfifo(path)
    assert str(read_document(path).violations[0]).startswith(
        "engine.yaml: found a pipe, a socket or a device; make it a readable"
    )


def test_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "engine.yaml"
    path.mkdir()
    assert str(read_document(path).violations[0]).startswith(
        "engine.yaml: found Is a directory; make it a readable"
    )


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore")))
def test_any_bytes_are_read_or_refused_without_a_crash(content: bytes) -> None:
    document = parse_document("a.yaml", content)
    assert isinstance(document.data, dict) or document.violations


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,? \n\t0.eE+~", max_size=60))
def test_any_punctuation_is_read_or_refused_without_a_crash(text: str) -> None:
    document = parse_document("a.yaml", text.encode())
    assert isinstance(document.data, dict) or document.violations
