from __future__ import annotations

import subprocess
import sys

import pytest

from domain.errors import EnvironmentFault
from domain.strategies.talib_loader import load_talib


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_loading_talib_leaves_pandas_and_polars_out_of_the_process_and_importable() -> None:
    script = (
        "import sys\n"
        "from domain.strategies.talib_loader import load_talib\n"
        "talib = load_talib()\n"
        "print(talib.SMA is not None, 'pandas' in sys.modules, 'polars' in sys.modules)\n"
        "import pandas\n"
        "print(pandas.Series([1, 2]).sum())\n"
    )
    assert run(script).split("\n") == ["True False False", "3"]


def test_built_in_strategies_load_without_pandas() -> None:
    script = "import sys, domain.strategies.registry\nprint('pandas' in sys.modules, 'talib' in sys.modules)"
    assert run(script) == "False True"


def test_pandas_that_is_there_already_stays() -> None:
    script = (
        "import sys, pandas\n"
        "from domain.strategies.talib_loader import load_talib\n"
        "load_talib()\n"
        "print(sys.modules['pandas'] is pandas)"
    )
    assert run(script) == "True"


def test_missing_talib_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "talib", None)
    with pytest.raises(EnvironmentFault, match=r"pip install TA-Lib.*ta-lib\.org/install") as caught:
        load_talib()
    assert isinstance(caught.value.__cause__, ImportError)


def test_failed_import_leaves_nothing_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "talib", None)
    before = set(sys.modules)
    with pytest.raises(EnvironmentFault):
        load_talib()
    assert set(sys.modules) == before
