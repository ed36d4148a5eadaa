from __future__ import annotations

from pathlib import Path

import pytest

from config.strategy_files import from_file, with_file
from domain.errors import ConfigurationError
from domain.strategies.registry import discover

GOOD = """
from __future__ import annotations
from dataclasses import dataclass
import numpy as np
from domain.strategies.momentum import MOMENTUM
from domain.strategies.protocol import Range, SignalArrays, StrategyDefinition

@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    wait: int = 2

def _signals(bars, params):
    return SignalArrays(np.ones(len(bars), np.int8), np.full(len(bars), 0.9))

ALWAYS = StrategyDefinition(
    name="always", summary="Always long.", source="none", parameters=Parameters,
    ranges={"wait": Range(1, 5, 1)}, warmup=lambda params: params.wait, signals=_signals,
)
"""


def write(folder: Path, text: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_file_adds_its_own_strategies_and_not_those_it_imports(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD, "config.py")
    registry = with_file(discover([]), path)
    assert sorted(registry.definitions) == ["always", "mean_reversion", "momentum", "vwap"]
    assert registry.origins["always"] == str(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "no strategy found"),
        ("from domain.strategies.momentum import MOMENTUM\n", "no strategy found"),
        ("x = 1\ndef broken(:\n", r"line 2: SyntaxError"),
        ("x = 1\ny = 1 / 0\n", r"line 2: ZeroDivisionError: division by zero"),
        ("import no_such_module_at_all\n", r"line 1: ModuleNotFoundError"),
        ("raise SystemExit(3)\n", r"line 1: SystemExit"),
        (GOOD.replace("frozen=True, ", ""), "always: Parameters is not frozen"),
        (GOOD.replace("ranges={", "ranges={} and {"), "always: parameter wait is a number without a range"),
        (
            GOOD + "\nfrom dataclasses import replace\nSECOND = replace(ALWAYS, summary='other')\n",
            "two strategies are named",
        ),
    ],
)
def test_file_that_cannot_be_used_is_refused_by_name_with_what_was_found(
    text: str, message: str, tmp_path: Path
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        from_file(path)
    assert str(path) in str(caught.value)


def test_missing_file_directory_and_other_suffix_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing\.py: does not exist"):
        from_file(tmp_path / "nothing.py")
    with pytest.raises(ConfigurationError, match="is a directory"):
        from_file(tmp_path)
    with pytest.raises(ConfigurationError, match=r"must end in \.py"):
        from_file(write(tmp_path, GOOD, "mine.txt"))


def test_file_with_a_name_in_use_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace('"always"', '"vwap"'))
    with pytest.raises(
        ConfigurationError, match=r"mine\.py: strategy 'vwap' exists \(built in\); rename yours"
    ):
        with_file(discover([]), path)
