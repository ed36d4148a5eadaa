"""Show that each walker finds a planted violation and leaves honest code alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture import walkers
from tests.architecture.tree import ill_named

LONG_BODY = "".join(f"    x = {n}\n" for n in range(40))
DOC = '"""Say."""\n'

PLANTED: list[tuple[walkers.Walker, str, int]] = [
    (walkers.randomness, "import random", 1),
    (walkers.randomness, "import os\nimport random as r", 2),
    (walkers.randomness, "from random import gauss", 1),
    (walkers.randomness, "import secrets", 1),
    (walkers.randomness, "import numpy.random", 1),
    (walkers.randomness, "from numpy import random", 1),
    (walkers.randomness, "from numpy.random import default_rng", 1),
    (walkers.randomness, "import numpy as np\nx = np.random.normal()", 2),
    (walkers.randomness, "def f():\n    return rng.choice([1, 2])", 2),
    (walkers.randomness, "x = default_rng(7)", 1),
    (walkers.randomness, "import uuid\nx = uuid.uuid4()", 2),
    (walkers.wall_clock, "import time", 1),
    (walkers.wall_clock, "from time import monotonic", 1),
    (walkers.wall_clock, "def f():\n    import time as t", 2),
    (walkers.wall_clock, "import datetime as dt\nx = dt.datetime.now(dt.UTC)", 2),
    (walkers.wall_clock, "x = date.today()", 1),
    (walkers.input_output, "import socket", 1),
    (walkers.input_output, "from urllib.request import urlopen", 1),
    (walkers.input_output, "x = open('a')", 1),
    (walkers.input_output, "print('a')", 1),
    (walkers.input_output, "x = path.read_text()", 1),
    (walkers.foreign_imports, "import pandas as pd", 1),
    (walkers.foreign_imports, "def f():\n    from pydantic import BaseModel", 2),
    (walkers.foreign_imports, "from storage.tables import Order", 1),
    (walkers.foreign_imports, "from . import bars", 1),
    (walkers.ray_imports, "import ray", 1),
    (walkers.ray_imports, "from ray.util import state", 1),
    (walkers.ray_imports, "import importlib\nr = importlib.import_module('ray')", 2),
    (walkers.ray_imports, "r = __import__('ray.util')", 1),
    (walkers.asserts, "def f(x):\n    assert x > 0", 2),
    (walkers.long_module, "x = 1\n" * 301, 301),
    (walkers.long_functions, "def f():\n" + LONG_BODY, 1),
    (
        walkers.long_functions,
        "class C:\n    async def f(self):\n" + LONG_BODY.replace("    x", "        x"),
        2,
    ),
    (walkers.missing_docstrings, "x = 1", 1),
    (walkers.missing_docstrings, DOC + "def f(): ...", 2),
    (walkers.missing_docstrings, DOC + "class C: ...", 2),
    (walkers.missing_docstrings, DOC + "class C:\n    " + DOC + "    def f(self): ...", 4),
    (walkers.unannotated, "def f(x) -> int: ...", 1),
    (walkers.unannotated, "def f(x: int): ...", 1),
    (walkers.unannotated, "class C:\n    def f(self, *args) -> None: ...", 2),
]

HONEST: list[tuple[walkers.Walker, str]] = [
    (walkers.randomness, "import numpy as np\nfrom uuid import UUID\nx = np.sqrt(2.0)\nclass Choice: ..."),
    (walkers.wall_clock, "import datetime as dt\nfrom timeit import default_timer\nx = dt.timedelta(days=1)"),
    (walkers.input_output, "import json\nx = bar.open\ny = json.dumps({})"),
    (walkers.foreign_imports, "import math\nimport numpy as np\nimport talib\nfrom domain.bars import Bar"),
    (walkers.ray_imports, "import rayon\nfrom arrays import ray\nx = importlib.import_module('rays')"),
    (walkers.asserts, "# assert x\nif x:\n    raise ValueError('assert')"),
    (walkers.long_module, "x = 1\n" * 300),
    (walkers.long_functions, "def f():\n" + LONG_BODY.partition("\n")[2]),
    (walkers.missing_docstrings, ""),
    (walkers.missing_docstrings, DOC + "def _f(): ...\nclass C:\n    " + DOC + "    def _g(self): ..."),
    (walkers.missing_docstrings, DOC + "import typing\n@typing.overload\ndef f(): ..."),
    (walkers.unannotated, "class C:\n    def f(self, x: int, *, y: int) -> None: ..."),
]


@pytest.mark.parametrize(("rule", "source", "line"), PLANTED)
def test_planted_violation_is_found_with_its_line(rule: walkers.Walker, source: str, line: int) -> None:
    assert line in {hit.line for hit in rule(source)}


@pytest.mark.parametrize(("rule", "source"), HONEST)
def test_honest_source_passes(rule: walkers.Walker, source: str) -> None:
    assert list(rule(source)) == []


def test_every_walker_has_a_planted_violation() -> None:
    defined = {
        value
        for name, value in vars(walkers).items()
        if callable(value)
        and not name.startswith("_")
        and getattr(value, "__module__", "") == walkers.__name__
    } - {walkers.Hit}
    assert {rule for rule, _, _ in PLANTED} == defined == {rule for rule, _ in HONEST}


@pytest.mark.parametrize(
    ("path", "ill"),
    [
        ("domain/utils.py", True),
        ("storage/base.py", True),
        ("actors/helpers/clock.py", True),
        ("domain/common/__init__.py", True),
        ("storage/database.py", False),
        ("domain/risk/sizing.py", False),
    ],
)
def test_names_that_say_nothing_are_known(path: str, ill: bool) -> None:
    assert ill_named(Path(path)) is ill
