"""Load commands when one of them is asked for: no other waits for what it is made of, and LIVE does without it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup


def lazy_group(module: str) -> type[TyperGroup]:
    """Return the class of a group whose commands are those of `app` in `module`."""

    class LazyGroup(TyperGroup):
        """Be a group that has its commands once they are asked for."""

        def list_commands(self, ctx: Any) -> list[str]:
            """Return the commands' names."""
            self._load()
            return super().list_commands(ctx)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            """Return a command, None for what is none."""
            self._load()
            return super().get_command(ctx, cmd_name)

        def _load(self) -> None:
            if not self.commands:
                self.commands = typer.main.get_group(import_module(module).app).commands

    return LazyGroup


def lazy_commands(modules: Mapping[str, str]) -> type[TyperGroup]:
    """Return the class of a group with commands of its own, before its groups: each a function of the module named."""

    class LazyCommands(TyperGroup):
        """Be a group that has a command once that is asked for."""

        def list_commands(self, ctx: Any) -> list[str]:
            """Return the names of commands and groups."""
            return [*modules, *(name for name in super().list_commands(ctx) if name not in modules)]

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            """Return a command or group, None for what is neither."""
            if cmd_name in modules and cmd_name not in self.commands:
                alone = typer.Typer(add_completion=False)
                alone.command(cmd_name)(getattr(import_module(modules[cmd_name]), cmd_name))
                self.commands[cmd_name] = typer.main.get_command(alone)
            return super().get_command(ctx, cmd_name)

    return LazyCommands
