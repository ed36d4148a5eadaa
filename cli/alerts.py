"""Try the channels that alerts go by: `breakwater alerts test`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.alerting import not_taken, sent
from cli.console import OUT
from cli.options import DEFAULT_STATE, ConfigOption, JsonOption, StateOption, UsageError
from cli.output import command, print_json
from cli.registry import read_settings
from cli.tables import Column, print_table
from config.alerts import hand_over_alert_urls
from config.settings import Settings
from domain.alerts import Alert, AlertTerms, ChannelFigures, Severity
from storage.state import MARKER

app = typer.Typer()

BUILD_S = 5.0
"""What a channel may take beyond a try's deadline, until Apprise is loaded."""


@app.callback()
def alerts() -> None:
    """Be a group, of one command so far."""


@app.command("test")
@command
def try_channels(
    channel: Annotated[
        str | None, typer.Option("--channel", metavar="ID", help="This channel only (default: every one).")
    ] = None,
    config: ConfigOption = None,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Send one message to every channel and say what became of it; exit code 1 when one did not take it."""
    settings = read_settings(config, dict(os.environ))
    terms = _terms(settings, channel)
    hand_over_alert_urls(settings.alert_urls, os.environ)
    with _log_place(state) as place:
        figures = sent(terms, place, _message())
    if as_json:
        print_json({"ok": not any(map(not_taken, figures)), "channels": [_values(each) for each in figures]})
    else:
        _print(figures)
    if any(map(not_taken, figures)):
        raise typer.Exit(1)


def _terms(settings: Settings, channel: str | None) -> AlertTerms:
    """Return what is configured, tried once, every channel hearing it; raises UsageError for one there is none of."""
    terms = settings.alert_terms()
    ids = [each.id for each in terms.channels]
    if channel is not None and channel not in ids:
        raise UsageError(f"--channel: found {channel!r}; allowed: {', '.join(ids)} (alerts.yaml)")
    tried = [
        each._replace(least=Severity.INFO) for each in terms.channels if channel is None or each.id == channel
    ]
    return replace(
        terms,
        channels=tuple(tried),
        sending=terms.sending._replace(attempts=1),
        closing_s=terms.sending.deadline_s + BUILD_S,
    )


@contextmanager
def _log_place(state: Path) -> Iterator[Path]:
    """Yield where to log: the state directory, or where there is none yet a place that is removed again.

    A log in a directory that no engine made would keep one from beginning there.
    """
    if (state / MARKER).exists():
        yield state
        return
    with TemporaryDirectory(prefix="breakwater-alerts-") as folder:
        yield Path(folder)


def _message() -> Alert:
    lines = (("severity", "info"), ("what", "a person asked for it: breakwater alerts test"))
    return Alert(Severity.INFO, "Breakwater: this channel works", lines)


def _values(figures: ChannelFigures) -> dict[str, Any]:
    return {
        "channel": figures.channel,
        "delivered": bool(figures.delivered),
        "took_s": figures.took_s,
        "error": figures.error or ("no answer in time" if figures.dropped else ""),
    }


_COLUMNS = (Column("Channel"), Column("Outcome"), Column("Took", right=True), Column("Why", wraps=40))


def _print(figures: Sequence[ChannelFigures]) -> None:
    rows = []
    for each in figures:
        values = _values(each)
        outcome = (
            Text("delivered", style="green") if values["delivered"] else Text("failed", style="bold red")
        )
        rows.append((each.channel, outcome, f"{each.took_s:.2f} s", values["error"]))
    print_table(OUT, _COLUMNS, rows)
