"""Choose how an inline strategy is evaluated: whole blocks for our own, as bars come for a stranger's."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from domain.lease import NO_PULSES
from domain.strategies.evaluator import BlockEvaluator, LiveEvaluator
from simulation.roles import inline_strategies
from simulation.synthetic import MarketSpec, synthesise
from supervisor.child_spec import ChildSpec
from tests.fakes.ports import fake_context

STRANGER = """
from dataclasses import dataclass
import numpy as np
from domain.strategies.protocol import Range, SignalArrays, StrategyDefinition

@dataclass(frozen=True)
class Parameters:
    shift: int = 1

def signals(bars, params):
    ahead = np.append(bars.close[params.shift:], [bars.close[-1]] * params.shift)
    up = (ahead > bars.close).astype(np.int8)
    return SignalArrays(up, np.ones(len(bars)))

AHEAD = StrategyDefinition(
    name="ahead", summary="s", source="s", parameters=Parameters, ranges={"shift": Range(1, 5, 1)},
    warmup=lambda params: 1, signals=signals,
)
"""


@pytest.mark.parametrize(("strategy", "expected"), [("momentum", BlockEvaluator), ("ahead", LiveEvaluator)])
def test_only_our_own_strategies_see_whole_blocks(strategy: str, expected: type, tmp_path: Path) -> None:
    """A strategy that looks ahead must earn nothing by it in a backtest: it sees what it would see live."""
    file = tmp_path / "ahead.py"
    file.write_text(STRANGER)
    table = synthesise(MarketSpec(seed=1, symbols=("AAA",), first=date(2001, 1, 2), sessions=30))
    instance: dict[str, Any] = {
        "strategy_id": "s1",
        "strategy": strategy,
        "file": None if strategy == "momentum" else str(file),
        "parameters": {},
        "symbols": None,
    }
    arguments: dict[str, Any] = {
        "instances": (instance,),
        "bar_ns": table.bar_ns,
        "continuous": table.continuous,
        "lease": NO_PULSES,
        "table": table,
    }
    spec = ChildSpec(role="strategy:s1", factory="simulation.roles:inline_strategies", arguments=arguments)
    machine = inline_strategies(spec, fake_context("strategy:s1")[0]).machine
    (voice,) = vars(machine)["_voices"]
    assert isinstance(vars(voice)["_evaluator"], expected)
