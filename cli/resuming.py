"""Resume a stored session: hold it to its inputs, see that its files are all there, and find where to go on."""

from __future__ import annotations

from config.settings import Settings
from domain.bars import BarTable
from domain.errors import StateError
from domain.messages import COORDINATOR, FEED, GATEWAY, RISK
from domain.risk.manager import SNAPSHOT
from simulation.venue.address import venue_directory
from storage.engine import sqlite_url
from storage.journal_reader import JournalReader
from storage.state import Session as StoredSession
from storage.state import StateDirectory


def refuse_incomplete(directory: StateDirectory, *, resumed: bool) -> None:
    """Raise StateError when files are missing without which the engine would begin with half of what it knew.

    The audit trail is written last: when it holds a record, every database was there before it.
    """
    databases = [directory.database(role) for role in (COORDINATOR, GATEWAY, RISK, FEED)]
    databases.append(venue_directory(directory.path) / "venue.db")
    present = [path for path in databases if path.exists()]
    if not resumed:
        if present:
            raise StateError(
                f"{directory.path} holds {', '.join(path.name for path in present)} but no session.json; "
                f"put it back from a copy, or start with --fresh, which archives what is there"
            )
        return
    if not any(path.stat().st_size for path in directory.audit.glob("*.jsonl")):
        return
    for path in databases:
        if path not in present or path.stat().st_size == 0:
            found = "is empty" if path in present else "is missing"
            raise StateError(
                f"{path} {found}, though the audit trail tells of a session that used it; put it back from a copy "
                f"of the whole directory, or start with --fresh, which archives what is there"
            )


def refuse_other_inputs(
    stored: StoredSession, table: BarTable, settings: Settings, directory: StateDirectory
) -> None:
    """Raise StateError that says which inputs changed when `stored` was begun with other bars or settings."""
    differing = []
    if stored.data != table.fingerprint:
        differing.append("the bars (--data, --symbols, --to, or the file itself)")
    if stored.configuration != settings.fingerprint:
        differing.append("the configuration (--config, or a file in it)")
    if differing:
        raise StateError(
            f"{directory.path} holds session {stored.number} of other inputs: {' and '.join(differing)} changed. "
            f"Run with the same ones to resume it, with --fresh to archive it, or with another --state DIR"
        )


def resume_at(directory: StateDirectory, stored: StoredSession, first: int) -> int:
    """Return the first bar group to publish: the one after the last that settled.

    A session that ended cleanly knows it. After a crash the risk manager's last snapshot tells the last bar decided;
    if the gateway's journal lacks one of that bar's orders, the bar is published again: its order refs are the same.
    """
    database = directory.database("risk")
    if not database.exists():
        return first
    reader = JournalReader.open(sqlite_url(database), "risk")
    try:
        snapshot = reader.snapshot(SNAPSHOT)
    finally:
        reader.close()
    if snapshot is None:
        return first
    if snapshot.bar <= stored.bar:
        return stored.bar + 1
    gateway = JournalReader.open(directory.database_url("gateway"), "gateway")
    try:
        known = {order.order_ref for order in gateway.orders()}
    finally:
        gateway.close()
    lost = [ref for ref in snapshot.values["approved"] if ref not in known]
    return snapshot.bar if lost else snapshot.bar + 1
