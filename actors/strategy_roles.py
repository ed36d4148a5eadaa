"""Build a strategy inside its process: `ChildSpec.factory` names these functions.

Apart from the other roles, because a process pays for what it imports: databases and keys are 19 MiB that no strategy
needs, and there are many strategies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from actors.parts import ActorContext, Parts, Spec
from config.strategy_files import with_file
from domain.strategies.blocks import block_ns
from domain.strategies.evaluator import Evaluator, LiveEvaluator
from domain.strategies.protocol import StrategyInstance
from domain.strategies.registry import discover
from domain.strategies.runner import RunnerSettings, StrategyRunner
from domain.strategies.voice import Voice, VoiceSettings


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


def strategies(spec: Spec, context: ActorContext) -> Parts:
    """Build strategies that evaluate each block up to now as bars come."""
    del context
    bar_ns, continuous = spec.arguments["bar_ns"], spec.arguments["continuous"]
    return strategies_parts(spec, lambda instance: LiveEvaluator(instance, bar_ns, continuous))


def strategies_parts(
    spec: Spec,
    evaluator_of: Callable[[StrategyInstance], Evaluator],
    instance_of: Callable[[Mapping[str, Any]], StrategyInstance] = strategy_instance,
) -> Parts:
    """Build the role of one or several strategies, each around its evaluator."""
    arguments = spec.arguments
    settings = RunnerSettings(
        role=spec.role,
        block_ns=block_ns(arguments["bar_ns"], arguments["continuous"]),
        generation=spec.generation,
        lease=arguments["lease"],
    )
    voices = []
    for told in arguments["instances"]:
        instance, symbols = instance_of(told), told["symbols"]
        voice = VoiceSettings(
            strategy_id=instance.strategy_id,
            symbols=None if symbols is None else frozenset(symbols),
            warmup=instance.warmup,
        )
        voices.append(Voice(voice, evaluator_of(instance)))
    return Parts(machine=StrategyRunner(settings, voices))
