"""A strategy that loops while its fills are suppressed is stopped within a few orders (B1; SEC release 34-70694)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.loader import SHIPPED
from tests.scenario.bars import market, rows, write_csv
from tests.scenario.engine import request, session
from tests.scenario.settings import write_config

DEAD = ("AAA", "BBB", "CCC")
"""Symbols of which nothing is traded: an order for them never fills."""
ALIVE = ("XXX", "YYY")
MOST = 20


def configured(folder: Path, **risk: object) -> Path:
    """Write a looping strategy in a book of its own beside two sound ones in another."""
    write_config(folder, "risk_management.yaml", dict(risk))
    (folder / "loops.py").write_text(
        Path(__file__).with_name("looping_strategy.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    shipped = yaml.safe_load((SHIPPED / "strategies.yaml").read_text(encoding="utf-8"))["strategies"]
    sound = [item | {"symbols": list(ALIVE)} for item in shipped[:2]]
    loop = {"id": "loop", "strategy": "loops", "file": "loops.py", "symbols": list(DEAD)}
    own = {"rule": "independent", "min_votes": 1, "allow_short": False}
    books = [
        {"id": "sound", "share": 0.5, **own, "strategies": [item["id"] for item in sound]},
        {"id": "runaway", "share": 0.5, **own, "strategies": ["loop"]},
    ]
    (folder / "strategies.yaml").write_text(yaml.safe_dump({"strategies": [*sound, loop]}), encoding="utf-8")
    (folder / "books.yaml").write_text(yaml.safe_dump({"books": books}), encoding="utf-8")
    return folder


def ran(folder: Path, **risk: object) -> dict[str, Any]:
    table = market(sessions=200, symbols=(*DEAD, *ALIVE))
    lines = [line if line.split(",")[1] in ALIVE else f"{line.rpartition(',')[0]},0" for line in rows(table)]
    data = write_csv(folder / "bars.csv", lines)
    return session(request(data, folder / "state", config=configured(folder / "config", **risk)))


@pytest.mark.parametrize("most", [10, MOST])
def test_a_loop_whose_fills_are_suppressed_ends_and_the_others_trade_on(tmp_path: Path, most: int) -> None:
    summary = ran(tmp_path, **{"orders.max_entries_without_fill": most})
    entries = Counter(order["book"] for order in summary["details"]["orders"] if order["kind"] == "entry")
    assert entries["runaway"] <= max(most, 10)  # exposure.max_positions is 10
    assert entries["runaway"] > max(most, 10) - len(DEAD)
    assert entries["sound"] > 0
    last = max(order["bar"] for order in summary["details"]["orders"] if order["book"] == "runaway")
    assert any(order["bar"] > last + 20 for order in summary["details"]["orders"] if order["book"] == "sound")
    assert "runaway" in summary["refused"]
    assert not [fill for fill in summary["details"]["fills"] if fill["book"] == "runaway"]


def test_without_the_guard_it_would_go_on_for_ever(tmp_path: Path) -> None:
    """The guard is what ends it, and nothing else."""
    summary = ran(tmp_path, **{"orders.max_entries_without_fill": 10_000})
    entries = [order for order in summary["details"]["orders"] if order["book"] == "runaway"]
    assert len(entries) > 10 * MOST
