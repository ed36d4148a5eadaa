"""List strategies and their configured instances: `breakwater strategies list`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import typer
from rich.text import Text

from cli.console import OUT
from cli.formats import count
from cli.options import ConfigOption, JsonOption
from cli.output import command, print_json
from cli.own_strategies import refuse_own_strategies
from cli.registry import known_strategies, read_settings
from cli.tables import Column, print_table, say, warn
from config.parameters import instance_parameters, parameter_range
from config.settings import Settings
from domain.strategies.protocol import StrategyDefinition
from domain.strategies.registry import StrategyRegistry

app = typer.Typer()


@app.command("list")
@command
def list_strategies(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the strategies with their parameters, defaults and ranges, and the instances that the books run."""
    settings = read_settings(config, dict(os.environ))
    refuse_own_strategies(settings)
    registry = known_strategies(settings)
    report = {
        "strategies": [
            strategy_values(registry.definitions[name], registry.origins[name])
            for name in sorted(registry.definitions)
        ],
        "instances": instance_values(settings, registry),
        "warnings": list(registry.problems),
    }
    if as_json:
        print_json(report)
    else:
        _print(report)


def strategy_values(definition: StrategyDefinition, origin: str) -> dict[str, Any]:
    """Return a strategy as `--json` prints it; `warmup_bars` is that of its default parameters."""
    defaults = definition.parameters()
    return {
        "name": definition.name,
        "summary": definition.summary,
        "source": definition.source,
        "origin": origin,
        "warmup_bars": definition.warmup(defaults),
        "parameters": [
            {
                "name": field.name,
                "default": _plain(getattr(defaults, field.name)),
                "allowed": parameter_range(definition, field.name),
                "low": definition.ranges[field.name].low if field.name in definition.ranges else None,
                "high": definition.ranges[field.name].high if field.name in definition.ranges else None,
                "step": definition.ranges[field.name].step if field.name in definition.ranges else None,
            }
            for field in dataclasses.fields(definition.parameters)
        ],
    }


def instance_values(settings: Settings, registry: StrategyRegistry) -> list[dict[str, Any]]:
    """Return the configured instances with all their parameters and the books that run them."""
    parameters = instance_parameters(settings, registry.definitions)
    return [
        {
            "id": item.id,
            "strategy": item.strategy,
            "books": [book.id for book in settings.books.books if item.id in book.strategies],
            "symbols": None if item.symbols is None else list(item.symbols),
            "file": item.file,
            "shards": item.parts,
            "warmup_bars": registry.definitions[item.strategy].warmup(parameters[item.id]),
            "parameters": {
                name: _plain(value) for name, value in dataclasses.asdict(parameters[item.id]).items()
            },
            "changed": sorted(item.parameters),
        }
        for item in settings.strategies.strategies
    ]


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value


_PARAMETER_COLUMNS = (
    Column("  Parameter"),
    Column("Default", right=True),
    Column("Allowed", wraps=20),
    Column("Step", right=True),
)
_INSTANCE_COLUMNS = (
    Column("Instance"),
    Column("Strategy"),
    Column("Books"),
    Column("Warm-up", right=True),
    Column("Symbols", wraps=8, spare=1),
    Column("Shards", right=True, spare=2),
    Column("Parameters", wraps=24),
)


def _print(report: Mapping[str, Any]) -> None:
    for warning in report["warnings"]:
        warn(warning)
    for strategy in report["strategies"]:
        say(OUT, Text.assemble((strategy["name"], "bold"), (f"  {strategy['origin']}", "dim")))
        say(OUT, f"  {strategy['summary']}")
        say(OUT, Text(f"  {strategy['source']}", style="dim italic"))
        if strategy["parameters"]:
            print_table(OUT, _PARAMETER_COLUMNS, [_parameter_row(each) for each in strategy["parameters"]])
        warmup = count(strategy["warmup_bars"], "bar")
        say(OUT, Text(f"  warms up for {warmup} at its defaults\n", style="dim"))
    if report["instances"]:
        print_table(OUT, _INSTANCE_COLUMNS, [_instance_row(each) for each in report["instances"]])
    found, running = (
        count(len(report["strategies"]), "strategy", "strategies"),
        count(len(report["instances"]), "instance"),
    )
    say(OUT, Text(f"{found}, {running}; changed parameters are marked *", style="dim"))


def _parameter_row(parameter: Mapping[str, Any]) -> Sequence[str]:
    step = "" if parameter["step"] is None else f"{parameter['step']:g}"
    return (f"  {parameter['name']}", str(parameter["default"]), parameter["allowed"], step)


def _instance_row(instance: Mapping[str, Any]) -> Sequence[str]:
    parameters = (
        f"{name}={value}{'*' if name in instance['changed'] else ''}"
        for name, value in instance["parameters"].items()
    )
    return (
        instance["id"],
        instance["strategy"],
        ", ".join(instance["books"]) or "none",
        f"{instance['warmup_bars']:,} bars",
        "all" if instance["symbols"] is None else ", ".join(instance["symbols"]),
        str(instance["shards"]),
        ", ".join(parameters),
    )
