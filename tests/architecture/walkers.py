"""Walk the syntax tree of one source text and list where it breaks a rule.

Every walker takes the source and yields `Hit`s, so that a test can show each of them a planted violation.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

MODULE_LINES = 300
FUNCTION_LINES = 40

_RANDOM_MODULES = {"random", "secrets", "numpy.random"}
_RANDOM_CALLS = {
    "choice", "choices", "default_rng", "randint", "randrange", "shuffle", "uuid1", "uuid4", "RandomState",
}  # fmt: skip
_CLOCK_MODULES = {"time"}
_CLOCK_CALLS = {
    "now",
    "utcnow",
    "today",
    "time_ns",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
}
_IO_MODULES = {
    "asyncio", "http", "multiprocessing", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl",
    "subprocess", "tempfile", "threading", "urllib",
}  # fmt: skip
_IO_CALLS = {"open", "print", "input", "read_text", "read_bytes", "write_text", "write_bytes", "getenv"}
_LOADERS = {"import_module", "importlib.import_module", "__import__"}
_DOMAIN_LIBRARIES = {"numpy", "talib", "domain"}


class Hit(NamedTuple):
    """Be one place that breaks a rule."""

    line: int
    found: str


Walker = Callable[[str], Iterator[Hit]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of everything imported; `from a import b` yields `a` and `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or "."
            yield node.lineno, module
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def _calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, last part of the called name) of every call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.lineno, node.func.id
            elif isinstance(node.func, ast.Attribute):
                yield node.lineno, node.func.attr


def _inside(name: str, modules: set[str]) -> bool:
    return any(name == module or name.startswith(module + ".") for module in modules)


def randomness(source: str) -> Iterator[Hit]:
    """List imports of random generators, uses of `numpy.random`, and calls that draw (A1)."""
    tree = ast.parse(source)
    yield from (
        Hit(line, f"import of {name}") for line, name in _imports(tree) if _inside(name, _RANDOM_MODULES)
    )
    yield from (Hit(line, f"call of {name}") for line, name in _calls(tree) if name in _RANDOM_CALLS)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("np.random", "numpy.random"):
            yield Hit(node.lineno, ast.unparse(node))


def wall_clock(source: str) -> Iterator[Hit]:
    """List what reads a clock or sleeps."""
    tree = ast.parse(source)
    yield from (
        Hit(line, f"import of {name}") for line, name in _imports(tree) if _inside(name, _CLOCK_MODULES)
    )
    yield from (Hit(line, f"call of {name}") for line, name in _calls(tree) if name in _CLOCK_CALLS)


def input_output(source: str) -> Iterator[Hit]:
    """List what reads or writes outside the process, or needs threads."""
    tree = ast.parse(source)
    yield from (Hit(line, f"import of {name}") for line, name in _imports(tree) if _inside(name, _IO_MODULES))
    yield from (Hit(line, f"call of {name}") for line, name in _calls(tree) if name in _IO_CALLS)


def foreign_imports(source: str) -> Iterator[Hit]:
    """List imports of anything but the standard library, numpy, TA-Lib and the domain itself."""
    for line, name in _imports(ast.parse(source)):
        top = name.partition(".")[0]
        if top not in _DOMAIN_LIBRARIES and top not in sys.stdlib_module_names:
            yield Hit(line, f"import of {name}")


def ray_imports(source: str) -> Iterator[Hit]:
    """List imports of Ray, also by a call of `import_module` or `__import__`."""
    tree = ast.parse(source)
    yield from (Hit(line, f"import of {name}") for line, name in _imports(tree) if _inside(name, {"ray"}))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _LOADERS:
            named = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            yield from (Hit(node.lineno, f"load of {name}") for name in named if _inside(name, {"ray"}))


def asserts(source: str) -> Iterator[Hit]:
    """List `assert` statements: `python -O` drops them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert):
            yield Hit(node.lineno, ast.unparse(node))


def long_module(source: str) -> Iterator[Hit]:
    """Report a module of more than 300 lines (F3)."""
    lines = len(source.splitlines())
    if lines > MODULE_LINES:
        yield Hit(lines, f"{lines} lines, {MODULE_LINES} are allowed")


def long_functions(source: str) -> Iterator[Hit]:
    """List functions of more than 40 lines from `def` to their end."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Function):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield Hit(node.lineno, f"{node.name} has {lines} lines, {FUNCTION_LINES} are allowed")


def missing_docstrings(source: str) -> Iterator[Hit]:
    """List the module, the public classes, functions and methods that have no docstring (F3)."""
    tree = ast.parse(source)
    if tree.body and ast.get_docstring(tree) is None:
        yield Hit(1, "the module")
    yield from _undocumented(tree, "")


def _undocumented(parent: ast.Module | ast.ClassDef, prefix: str) -> Iterator[Hit]:
    for node in parent.body:
        if not isinstance(node, ast.ClassDef | Function) or node.name.startswith("_"):
            continue
        if ast.get_docstring(node) is None and not _documented_elsewhere(node):
            yield Hit(node.lineno, prefix + node.name)
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(node, f"{prefix}{node.name}.")


def _documented_elsewhere(node: ast.ClassDef | Function) -> bool:
    marks = {ast.unparse(mark).rpartition(".")[2] for mark in node.decorator_list}
    return bool(marks & {"overload", "override", "setter"})


def unannotated(source: str) -> Iterator[Hit]:
    """List functions with a parameter or a result that has no type (F3)."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, Function):
            continue
        arguments = node.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        extra = [star for star in (arguments.vararg, arguments.kwarg) if star is not None]
        bare = [a.arg for a in [*named, *extra] if a.annotation is None and a.arg not in ("self", "cls")]
        if bare or node.returns is None:
            yield Hit(node.lineno, f"{node.name}: {', '.join(bare) or 'its result'}")
