"""Hold the two consoles that people are told things on: standard output, and errors on standard error."""

from __future__ import annotations

from rich.console import Console

OUT = Console()
ERR = Console(stderr=True)
