"""Make snapshots as engines tell them, and pictures of them."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from cli.display.events import EventLog
from cli.display.foot import Notice, foot
from cli.display.gauges import Trace
from cli.display.keys import Dialogue
from cli.display.lines import Frame, Line
from cli.display.screen import Picture, screen
from cli.display.view import read
from cli.meter import Reading
from domain.strategies.blocks import DAY_NS

STRATEGIES = (
    "mean_reversion_fast",
    "mean_reversion_slow",
    "momentum_fast",
    "momentum_slow",
    "vwap_fast",
    "vwap_slow",
)
AT_NS = 1_551_657_600_000_000_000  # 2019-03-04
SIZES = [(80, 24), (100, 30), (140, 45)]


def holding(symbol: str, lots: int, unrealised: float) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "book": "main",
        "lots": lots,
        "average_price": 110.0,
        "mark": 111.25,
        "unrealised": unrealised,
        "stop": 99.0,
    }


def order(
    seq: int, symbol: str, kind: str = "entry", state: str = "working", text: str = ""
) -> dict[str, Any]:
    return {
        "ref": f"1.main.{symbol}.{seq}",
        "seq": seq,
        "at_ns": AT_NS,
        "bar": 1_234,
        "book": "main",
        "symbol": symbol,
        "kind": kind,
        "side": "buy" if kind == "entry" else "sell",
        "lots": 120,
        "filled_lots": 0,
        "price": 43.21,
        "state": state,
        "text": text,
    }


def fill(seq: int, symbol: str, lots: int = 55) -> dict[str, Any]:
    return {
        "id": f"e{seq}",
        "seq": seq,
        "at_ns": AT_NS,
        "bar": 1_234,
        "book": "main",
        "symbol": symbol,
        "kind": "entry",
        "side": "buy",
        "lots": lots,
        "price": 123.4,
    }


def strategy(bar: int = 1_230) -> dict[str, Any]:
    said = {"bar": bar, "at_ns": AT_NS, "buys": 2, "sells": 1, "strongest": ["AAPL", 1, 0.734]}
    return {"bars": 1_235, "failures": 0, "last_failures": [], "last_said": said}


def speaking(*names: str) -> dict[str, Any]:
    """Return the state of the role through which these strategies speak."""
    return {"strategies": {name: strategy() for name in names}}


def role(**changed: Any) -> dict[str, Any]:
    seen = {
        "generation": 1,
        "status": "ready",
        "restarts": 0,
        "why": "",
        "pid": 7,
        "busy_s": 0.0,
        "queued": 0,
    }
    return {**seen, "rss_bytes": 70 * 2**20, **changed}


def risk(**changed: Any) -> dict[str, Any]:
    return {
        "bar": 1_234,
        "equity": 104_233.12,
        "opening_equity": 100_000.0,
        "day_start_equity": 104_401.50,
        "cash": 48_211.07,
        "drawdown": 0.0832,
        "heat": 0.112,
        "daily_loss": 0.0016,
        "gross_exposure": 0.437,
        "limits": {
            "max_total_drawdown": 0.15,
            "max_portfolio_heat": 0.25,
            "max_daily_loss": 0.02,
            "max_gross_exposure": 1.0,
        },
        "is_safe_to_trade": True,
        "reasons": [],
        "failures": {"totals": {"vwap_slow": 7}, "consecutive": {"vwap_slow": 3}, "history": []},
        "breakers": {**{name: {"state": "closed"} for name in STRATEGIES}, "vwap_slow": {"state": "open"}},
        "holdings": [holding("AAPL", 141, 1_298.27), holding("KO", 260, -868.40)],
        "holdings_in_all": 2,
        **changed,
    }


def snapshot(**changed: Any) -> dict[str, Any]:
    """Return an engine at work with six strategies; `changed` replaces keys of the top."""
    roles = ["audit", "coordinator", "feed", "gateway", "risk", *(f"strategy:{name}" for name in STRATEGIES)]
    return {
        "mode": "SIMULATION",
        "session": 3,
        "phase": "running",
        "reason": "",
        "completed": False,
        "rung": "ACTIVE",
        "causes": [],
        "scoped": [],
        "halts": 0,
        "failures": [],
        "faults": 0,
        "last_fault": "",
        "waiting_for": [],
        "roles": {name: role() for name in roles},
        "views": {
            "feed": {"next": 1_235},
            "risk": risk(),
            "gateway": {
                "open": [order(40, "MSFT"), order(41, "AAPL", "stop")],
                "open_orders": 2,
                "journal_head": 41,
                "newest_orders": [order(40, "MSFT")],
                "newest_fills": [fill(39, "AAPL")],
            },
            **{f"strategy:{name}": speaking(name) for name in STRATEGIES},
        },
        **changed,
    }


def picture(told: dict[str, Any] | None = None, log: EventLog | None = None, age_s: float = 0.1) -> Picture:
    seen = snapshot() if told is None else told
    events, trace = log or EventLog(DAY_NS), Trace()
    events.look(seen, "2019-03-05")
    for bar in range(1_235):
        trace.add(100_000.0 + (bar % 300) * 20.0)
    reading = Reading("running", 1_235, 4_000, 512.0, 5.4, "2019-03-05", "")
    return Picture(read(seen), reading, trace, events, age_s)


def shown(
    at: Picture, width: int, height: int, dialogue: Dialogue | None = None, notice: Notice | None = None
) -> list[str]:
    """Return the lines that a console of this size prints."""
    frame = screen(at, foot(dialogue or Dialogue(), notice, width, keys=True), width, height)
    return printed(frame, width, height)


def printed(frame: Frame, width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), record=True, width=width, height=height)
    console.print(frame)
    return console.export_text().split("\n")[: len(frame.lines)]


def text(lines: list[Line]) -> list[str]:
    return ["".join(part.text for part in line).rstrip() for line in lines]
