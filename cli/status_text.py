"""Lay out an engine's status, as it runs or as it left its stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from cli.formats import NOTHING, utc
from cli.tables import Column, print_pairs, print_table, say
from domain.halt_causes import scope_words
from domain.records import Rung

_STYLES = {"ACTIVE": "bold green", "REDUCING": "bold yellow", "HALTED": "bold red", "FLATTENING": "bold red"}
_WALL_NS = 1_000_000_000 * 1_000_000_000
"""2001: what is older is no wall time."""

_WELL = frozenset({"ready"})
_ILL = frozenset({"quarantined", "ended"})

_ROLE_COLUMNS = (
    Column("Role"),
    Column("Status"),
    Column("Start", right=True, spare=4),
    Column("Restarts", right=True),
    Column("MiB", right=True),
    Column("Busy", right=True, spare=2),
    Column("Queued", right=True, spare=3),
    Column("Process", right=True, spare=1),
    Column("Why", wraps=24),
)
_SHARED = Column("Strategies", wraps=20)


def print_status(console: Console, body: Mapping[str, Any]) -> None:
    """Print a status: how it stands, what holds it up, the account, the roles."""
    running = body["running"]
    word = Text("running", style="bold green") if running else Text("not running", style="bold yellow")
    reason = f": {body['reason']}" if body.get("reason") else ""
    pairs: list[tuple[str, str | Text]] = [
        ("Engine", Text.assemble(word, f", {body['phase']}{reason}")),
        *((("Mode", str(body["mode"])),) if body.get("mode") else ()),
        ("Session", str(body["session"])),
        ("Account", Text(body["rung"], style=_STYLES.get(body["rung"], ""))),
    ]
    if not running and body["file_raises"]:
        higher = Rung[body["file_rung"]] > Rung[body["rung"]]
        next_run = "so the next run starts" if higher else "the next run records it as a cause of its own"
        pairs.append(("Latch file", Text(f"{body['file_rung']}: {next_run}", style="bold red")))
    pairs += [(_scope(scope), Text(rung, style=_STYLES.get(rung, ""))) for scope, rung in body["scoped"]]
    pairs += [("Held by", _cause(cause)) for cause in body.get("halted_by", ())]
    if body.get("resuming"):
        pairs.append(("Resume", "on its way: not every role holds it yet"))
    pairs += _alerts(body.get("alerts", ()))
    pairs += _account(body.get("views", {}))
    print_pairs(console, pairs)
    if body.get("roles"):
        say(console, "")
        print_roles(console, body["roles"])


def print_roles(console: Console, roles: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the roles, those that do not run with their reason, and who shares one where any is shared."""
    shared = any(len(found.get("strategies", ())) > 1 for found in roles.values())
    rows = [
        (
            role,
            _status(str(found.get("status", ""))),
            str(found.get("generation", "")),
            str(found.get("restarts", 0)),
            f"{found['rss_bytes'] / 2**20:,.0f}" if found.get("rss_bytes") else NOTHING,
            f"{found.get('busy_s', 0.0):.1f} s",
            f"{found.get('queued', 0):,}",
            str(found.get("pid") or NOTHING),
            *((", ".join(found.get("strategies", ())),) if shared else ()),
            str(found.get("why", "")),
        )
        for role, found in roles.items()
    ]
    *columns, why = _ROLE_COLUMNS
    print_table(console, (*columns, *((_SHARED,) if shared else ()), why), rows)


def _status(word: str) -> Text:
    style = "green" if word in _WELL else "bold red" if word in _ILL else "yellow"
    return Text(word.replace("_", " "), style=style)


def _scope(scope: str) -> str:
    words = scope_words(scope)
    return words[:1].upper() + words[1:]  # what follows are the capitals of a book's or a symbol's own name


def _cause(cause: Mapping[str, Any]) -> str:
    # An inline engine's clock is its own and begins at 0: no time that people know.
    since = f", {utc(cause['since_ns'])}" if cause["since_ns"] > _WALL_NS else ""
    where = f"{scope_words(cause['scope'])}, " if cause["scope"] else ""
    return f"{where}{cause['trigger'].replace('_', ' ')}: {cause['detail']} ({cause['rung']}{since})"


def _alerts(channels: Sequence[Mapping[str, Any]]) -> Sequence[tuple[str, str | Text]]:
    """Return a line for each channel of which an alert was lost; those that work need none."""
    return [
        ("Alerts", Text(f"{told['channel']}: {_lost(told)}", style="bold red"))
        for told in channels
        if told["failed"] or told["dropped"] or told["error"]
    ]


def _lost(told: Mapping[str, Any]) -> str:
    words = f"{told['delivered']:,} delivered, {told['failed']:,} failed, {told['dropped']:,} dropped"
    return f"{words}: {told['error']}" if told["error"] else words


def _account(views: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    risk, feed, gateway = (views.get(role) or {} for role in ("risk", "feed", "gateway"))
    found = []
    if "equity" in risk:
        found.append(("Equity", f"{risk['equity']:,.2f}"))
        loss, fall, heat = (risk.get(name, 0.0) for name in ("daily_loss", "drawdown", "heat"))
        found.append(("Day's loss", f"{loss:.3%}"))
        found.append(("Drawdown", f"{fall:.3%}"))
        found.append(("Heat", f"{heat:.3%}"))
        found.append(("Positions", f"{len(risk.get('positions', {})):,}"))
    if "open_orders" in gateway:
        gate = "" if gateway.get("gate_open", True) else ", gate closed"
        found.append(("Orders", f"{gateway['open_orders']:,} open of {gateway.get('orders', 0):,}{gate}"))
    told = {"broker": gateway.get("breaker", "closed"), **risk.get("entry_breakers", {})}
    told |= {f"strategy {name}": state for name, state in risk.get("breakers", {}).items()}
    tripped = ", ".join(f"{name} {state}" for name, state in told.items() if state != "closed")
    if tripped:
        found.append(("Breakers", tripped.replace("half_open", "half-open")))
    if "next" in feed:
        found.append(("Next bar", f"{feed['next']:,}"))
    return found
