"""Read YAML files into plain values and remember the line of every key.

The accepted language is smaller than YAML 1.1, so that a file means what it looks like: `true` and `false` are the
only booleans (a symbol ON or NO stays text), numbers are decimal, dates are text; a key may appear once, aliases and
tags are refused. Sequences become tuples.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import yaml  # type: ignore[import-untyped,unused-ignore]

from config.violations import Violation, key_path, shown

LARGEST_BYTES = 1 << 20
MOST_DIGITS = 300
KeyPath = tuple[str | int, ...]


class Document(NamedTuple):
    """Be one file's content: `data` (plain values), the `lines` of its keys, and what was wrong with it."""

    file: str
    data: object
    lines: dict[KeyPath, int]
    violations: tuple[Violation, ...]

    def line(self, path: KeyPath) -> int:
        """Return the line of `path`, or of the nearest thing that encloses it; 0 when nothing does."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


class _Loader(yaml.SafeLoader):  # type: ignore[misc,unused-ignore]
    """Compose nodes with the resolvers below in place of YAML 1.1's."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - yaml's own protocol


_RESOLVERS = (
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("bool", r"^(?:true|false)$", ["t", "f"]),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
    ("float", r"^(?:[-+]?\.inf|\.nan)$", list("-+.")),
)
_TAG = "tag:yaml.org,2002:"
for _name, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(_pattern), _first)


class _Reader:
    """Turn a tree of nodes into values, noting each key's line and every fault on the way."""

    def __init__(self, file: str) -> None:
        """Start with nothing read."""
        self.file = file
        self.lines: dict[KeyPath, int] = {}
        self.faults: list[Violation] = []
        self._seen: set[int] = set()

    def fault(self, path: KeyPath, node: yaml.Node, found: str, allowed: str) -> None:
        """Note a fault at `node`."""
        self.faults.append(Violation(self.file, key_path(path), found, allowed, node.start_mark.line + 1))

    def value(self, node: yaml.Node, path: KeyPath) -> object:
        """Return what `node` holds."""
        if id(node) in self._seen:
            # Aliases share nodes; a few lines of them can stand for billions of values.
            self.fault(path, node, "an alias (*name)", "aliases are not allowed: write the value out")
            return None
        self._seen.add(id(node))
        if not isinstance(node, yaml.ScalarNode) and node.tag not in (_TAG + "map", _TAG + "seq"):
            self.fault(path, node, f"the tag {node.tag}", "tags are not allowed: remove it")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            items = []
            for index, item in enumerate(node.value):
                self.lines[(*path, index)] = item.start_mark.line + 1
                items.append(self.value(item, (*path, index)))
            return tuple(items)
        if not isinstance(node, yaml.ScalarNode):
            raise TypeError(f"YAML has no node of kind {type(node).__name__}")
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, object]:
        result: dict[str, object] = {}
        for key_node, value_node in node.value:
            is_text = isinstance(key_node, yaml.ScalarNode) and key_node.tag.endswith(":str")
            if not is_text:
                found = shown(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "a collection"
                self.fault(
                    path, key_node, f"the key {found}", "a key must be text; quote it if it looks otherwise"
                )
                continue
            key = key_node.value
            here = (*path, key)
            if key in result:
                first = self.lines[here]
                self.fault(
                    here, key_node, "the key a second time", f"remove it or line {first}: a key appears once"
                )
                continue
            self.lines[here] = key_node.start_mark.line + 1
            result[key] = self.value(value_node, here)
        return result

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> object:
        text: str = node.value
        tag = node.tag.removeprefix(_TAG)
        if tag == "str":
            return text
        if len(text) > MOST_DIGITS:
            self.fault(path, node, f"a number of {len(text)} digits", f"allowed: up to {MOST_DIGITS} digits")
        elif not any(tag == name and re.match(pattern, text) for name, pattern, _ in _RESOLVERS):
            self.fault(path, node, f"the tag {node.tag}", "tags are not allowed: remove it")
        elif tag == "bool":
            return text == "true"
        elif tag == "int":
            return int(text)
        elif tag == "float":
            return float(text.replace(".inf", "inf").replace(".nan", "nan"))
        return None


def value_at(data: object, path: KeyPath) -> object:
    """Return the value at `path` in plain data, None where there is none."""
    for step in path:
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, tuple | list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def read_document(path: Path) -> Document:
    """Read the YAML file at `path`; whatever is wrong with it is in `violations`, never raised.

    A document that could not be parsed at all has `data` None.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            # To open a pipe would wait for whoever writes to it.
            return _unreadable(
                path.name,
                "a pipe, a socket or a device",
                "make it a readable file, or remove it to use the shipped default",
            )
        with path.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        allowed = "make it a readable file, or remove it to use the shipped default"
        return _unreadable(path.name, error.strerror or type(error).__name__, allowed)
    if len(content) > LARGEST_BYTES:
        return _unreadable(
            path.name, f"more than {LARGEST_BYTES} bytes", f"allowed: up to {LARGEST_BYTES} bytes"
        )
    return parse_document(path.name, content)


def parse_document(file: str, content: bytes) -> Document:
    """Parse YAML text in UTF-8; `file` names it in violations."""
    try:
        node = yaml.compose(content.decode("utf-8"), Loader=_Loader)
        reader = _Reader(file)
        data = None if node is None else reader.value(node, ())
    except UnicodeDecodeError as error:
        return _unreadable(
            file, f"a byte that is not UTF-8 at offset {error.start}", "save the file as UTF-8"
        )
    except RecursionError:
        return _unreadable(file, "values nested too deeply", "allowed: the nesting of the shipped file")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        problem = " ".join(part for part in (error.context, error.problem) if part)
        return _unreadable(
            file, f"bad YAML at line {line}, column {column}: {problem}", "correct the syntax", line
        )
    except yaml.YAMLError as error:
        return _unreadable(file, f"bad YAML: {' '.join(str(error).split())}", "correct the syntax")
    if not reader.faults and not isinstance(data, dict):
        found = "an empty file" if data is None else shown(data)
        return _unreadable(
            file, found, "a mapping of keys is needed; remove the file to use the shipped default"
        )
    return Document(file, data, reader.lines, tuple(reader.faults))


def _unreadable(file: str, found: str, allowed: str, line: int = 0) -> Document:
    return Document(file, None, {}, (Violation(file, "", found, allowed, line),))
