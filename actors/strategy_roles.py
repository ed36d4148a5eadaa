"""Build a strategy inside its process: `ChildSpec.factory` names these functions.

Apart from the other roles, because a process pays for what it imports: databases and keys are 19 MiB that no strategy
needs, and there are many strategies.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from actors.parts import ActorContext, Parts, Spec
from config.strategy_files import with_file
from domain.outputs import Output
from domain.ports import Machine
from domain.strategies.blocks import block_ns
from domain.strategies.evaluator import Evaluator, LiveEvaluator
from domain.strategies.protocol import StrategyInstance
from domain.strategies.registry import discover
from domain.strategies.runner import RunnerSettings, StrategyRunner
from domain.strategies.voice import Voice, VoiceSettings

EvaluatorOf = Callable[[StrategyInstance, frozenset[str] | None], Evaluator]
"""Build the evaluator of an instance that watches these symbols (None: all that come)."""


class WithStandardFiles:
    """Keep the three standard files open whatever a strategy does with them (port: `domain.ports.Machine`).

    Where one is closed, the next file or socket that anything opens gets its number, and a strategy that closes
    standard output at each bar closes that: a message is lost with each.
    """

    def __init__(self, machine: Machine) -> None:
        """Run `machine`."""
        self._machine = machine

    def handle(self, message: Any) -> list[Output]:
        """Return what follows from `message`."""
        outputs: list[Output] = self._machine.handle(message)
        for number in range(3):
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
        return outputs

    def state(self) -> Mapping[str, Any]:
        """Return the machine's state."""
        return self._machine.state()


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
    """Build strategies that evaluate each block up to now as bars come, in a process of their own."""
    del context
    bar_ns, continuous = spec.arguments["bar_ns"], spec.arguments["continuous"]
    parts = strategies_parts(spec, lambda instance, _: LiveEvaluator(instance, bar_ns, continuous))
    return replace(parts, machine=WithStandardFiles(parts.machine))


def strategies_parts(
    spec: Spec,
    evaluator_of: EvaluatorOf,
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
            part=told["part"],
            parts=told["parts"],
        )
        voices.append(Voice(voice, evaluator_of(instance, voice.symbols)))
    return Parts(machine=StrategyRunner(settings, voices))
