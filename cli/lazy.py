"""Load a group's commands when one of them is asked for: `--help` and LIVE do without what others are made of."""

from __future__ import annotations

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
