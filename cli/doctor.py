"""Check the machine, the configuration and the state directory: `breakwater doctor`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from cli.console import OUT
from cli.options import DEFAULT_STATE, ConfigOption, JsonOption, StateOption
from cli.output import command, print_json
from cli.tables import Column, print_table, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.checks import Finding

_MARKS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "failed": ("failed", "bold red")}
_COLUMNS = (Column("Check"), Column("Is"), Column("Found", wraps=40), Column("What to do", wraps=30))


@command
def doctor(
    config: ConfigOption = None, state: StateOption = DEFAULT_STATE, as_json: JsonOption = False
) -> None:
    """Check everything an engine needs, and say what to do; exit code 1 where something failed."""
    # Loaded here: `--help` needs nothing of what is checked.
    from cli.checks import run_checks

    findings = run_checks(config, state, dict(os.environ))
    failed = [finding for finding in findings if finding.verdict == "failed"]
    if as_json:
        print_json({"well": not failed, "checks": [finding._asdict() for finding in findings]})
    else:
        _print(findings)
    if failed:
        raise typer.Exit(1)


def _print(findings: Sequence[Finding]) -> None:
    rows = [
        (finding.check, Text(*_MARKS[finding.verdict]), finding.found, finding.advice) for finding in findings
    ]
    print_table(OUT, _COLUMNS, rows)
    counts = {verdict: sum(finding.verdict == verdict for finding in findings) for verdict in _MARKS}
    say(OUT, f"\n{counts['ok']} ok, {counts['warning']} warnings, {counts['failed']} failed.")
