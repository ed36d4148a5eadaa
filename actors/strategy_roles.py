"""Build a strategy inside its process: `ChildSpec.factory` names these functions.

Apart from the other roles, because a process pays for what it imports: databases and keys are 19 MiB that no strategy
needs, and there are many strategies.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actors.parts import ActorContext, Parts, Spec
from config.strategy_files import with_file
from domain.strategies.blocks import block_ns
from domain.strategies.evaluator import Evaluator, LiveEvaluator
from domain.strategies.protocol import StrategyInstance
from domain.strategies.registry import discover
from domain.strategies.runner import RunnerSettings, StrategyRunner


def strategy_instance(arguments: Mapping[str, Any]) -> StrategyInstance:
    """Build the instance that `arguments` name: id, strategy, file or None with its digest, parameters."""
    registry = discover()
    if arguments["file"] is not None:
        registry = with_file(registry, Path(arguments["file"]), arguments.get("digest"))
    definition = registry.get(arguments["strategy"])
    parameters = definition.parameters(**arguments["parameters"])
    return StrategyInstance(
        strategy_id=arguments["strategy_id"], definition=definition, parameters=parameters
    )


def strategy(spec: Spec, context: ActorContext) -> Parts:
    """Build a strategy that evaluates each block up to now as bars come."""
    instance = strategy_instance(spec.arguments)
    evaluator = LiveEvaluator(instance, spec.arguments["bar_ns"], spec.arguments["continuous"])
    return strategy_parts(spec, instance, evaluator)


def strategy_parts(spec: Spec, instance: StrategyInstance, evaluator: Evaluator) -> Parts:
    """Build a strategy around its evaluator."""
    arguments = spec.arguments
    symbols = arguments["symbols"]
    settings = RunnerSettings(
        strategy_id=instance.strategy_id,
        symbols=None if symbols is None else frozenset(symbols),
        block_ns=block_ns(arguments["bar_ns"], arguments["continuous"]),
        warmup=instance.warmup,
        generation=spec.generation,
        lease=arguments["lease"],
    )
    return Parts(machine=StrategyRunner(settings, evaluator))
