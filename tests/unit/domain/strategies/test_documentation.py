"""What docs/strategies.md shows is run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.strategy_files import with_file
from domain.strategies.blocks import DAY_NS, block_ns
from domain.strategies.checking import FailureKind
from domain.strategies.evaluator import SymbolBlocks
from domain.strategies.protocol import StrategyDefinition, StrategyInstance
from domain.strategies.registry import BUILT_IN, discover
from tests.unit.domain.strategies.series import sample

TEXT = (Path(__file__).parents[4] / "docs" / "strategies.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def breakout_file(tmp_path: Path) -> Path:
    path = tmp_path / "breakout.py"
    path.write_text(PYTHON[0], encoding="utf-8")
    return path


def test_documented_check_passes_for_the_documented_strategy(breakout_file: Path) -> None:
    names: dict[str, Any] = {}
    exec(compile(PYTHON[1], "docs/strategies.md", "exec"), names)
    names["check"](breakout_file, sample("AAPL"))


def test_documented_strategy_follows_its_rule(breakout_file: Path) -> None:
    definition: StrategyDefinition = with_file(discover([]), breakout_file).get("breakout")
    instance = StrategyInstance(
        strategy_id="b", definition=definition, parameters=definition.parameters(channel=20)
    )
    bars = sample("AAPL")
    blocks = SymbolBlocks(instance, bars, block_ns(DAY_NS, False))
    for i in range(20, len(bars)):
        above = bars.close[i] > np.max(bars.high[i - 20 : i])
        below = bars.close[i] < np.min(bars.low[i - 20 : i])
        assert blocks.entry(i).direction == int(above) - int(below)  # type: ignore[union-attr]


def test_every_kind_of_failure_and_every_built_in_strategy_is_documented() -> None:
    assert [kind for kind in FailureKind if f"| `{kind}` |" not in TEXT] == []
    assert [d.name for d in BUILT_IN if f"| `{d.name}` |" not in TEXT] == []
