"""Resume a stored session: hold it to its inputs, see that its files are all there, and find where to go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

from config.settings import Settings
from config.strategy_code import code_changes
from domain.bars import BarTable
from domain.errors import DataError, StateError
from domain.gateway import LATCH
from domain.messages import COORDINATOR, FEED, GATEWAY, RISK
from domain.records import MachineSnapshot, OrderEntry
from domain.resuming import bar_to_resume
from domain.risk.manager import SNAPSHOT, TOLD
from simulation.importing.importer import Imported
from simulation.venue.address import venue_directory
from storage.audit.checkpoints import CHECKPOINTS, last_checkpoint
from storage.audit.keys import load_signer
from storage.catalogue import read_bars
from storage.engine import is_begun, sqlite_url
from storage.journal_reader import JournalReader
from storage.location import Databases
from storage.state import SESSION, Session, StateDirectory

ROLES = (COORDINATOR, GATEWAY, RISK, FEED)
"""The roles that keep a database."""

_NEEDED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    RISK: {SNAPSHOT: ("approved", "cancels", "rung"), TOLD: ("seq",)},
    GATEWAY: {LATCH: ("rung",)},
}
"""Values of each role's snapshots without which it cannot go on."""

_ADVICE = (
    "put it back from a copy of the whole directory, or start with --fresh, which archives what is there"
)


def refuse_damaged(directory: StateDirectory, databases: Databases, *, resumed: bool) -> None:
    """Raise StateError when a file is missing, empty, corrupt or holds nonsense: never begin with half of it.

    A session that begins finds no file in the place of its databases, wherever that is.

    The audit trail is written last: when it holds a record, every database was there before it. Raises AuditError
    or EnvironmentFault when the trail is signed with a key that is not at hand.
    """
    files = {databases.path(role): role for role in ROLES}
    expected = [*files, venue_directory(directory.path) / "venue.db"]
    present = [path for path in expected if path.exists()]
    if not resumed:
        _refuse_strangers(directory, present)
        return
    if any(path.stat().st_size for path in directory.audit.glob("*.jsonl")):
        for path in expected:
            if path not in present or not is_begun(sqlite_url(path)):
                found = "is empty" if path in present else "is missing"
                raise StateError(f"{path} {found}, though the audit trail tells of what it held; {_ADVICE}")
    for path, role in files.items():
        if path in present and is_begun(databases.url(role)):
            with closing(JournalReader.open(databases.url(role), role)) as reader:
                reader.read_through()
                _refuse_hollow(path, role, reader)
    checkpoints = directory.audit / CHECKPOINTS
    if checkpoints.exists():
        last_checkpoint(checkpoints, load_signer().verifier)


def _refuse_hollow(path: Path, role: str, reader: JournalReader) -> None:
    """Raise StateError when a snapshot lacks what its role goes on from."""
    for name, keys in _NEEDED.get(role, {}).items():
        snapshot = reader.snapshot(name)
        absent = [] if snapshot is None else [key for key in keys if key not in snapshot.values]
        if absent:
            raise StateError(
                f"{path}: the row {name!r} in table snapshots lacks {', '.join(absent)}; {_ADVICE}"
            )


def _refuse_strangers(directory: StateDirectory, present: Sequence[Path]) -> None:
    """Raise StateError when files are `present` that no session of this directory is known to have written."""
    ours = [path for path in present if path.is_relative_to(directory.path)]
    if ours:
        names = ", ".join(path.name for path in ours)
        raise StateError(f"{directory.path} holds {names} but no session.json; {_ADVICE}")
    if present:
        raise StateError(
            f"{present[0]} exists, but {directory.path} has no session that wrote it: another state directory's "
            f"session may have; move it away, or name another place in engine.yaml: storage.url"
        )


def stored_bars(path: Path) -> BarTable:
    """Return the session's own copy of its bars; raises StateError when it cannot be read."""
    try:
        return read_bars(path)
    except DataError as error:
        raise StateError(f"{error}. It is this session's copy of its bars: {_ADVICE}") from error


def refuse_other_inputs(
    stored: Session,
    imported: Imported,
    settings: Settings,
    code: Mapping[str, str],
    directory: StateDirectory,
) -> None:
    """Raise StateError that says which inputs changed when `stored` was begun with other bars, settings or `code`."""
    differing = []
    if stored.data != imported.table.fingerprint:
        differing.append("the bars (--data, --symbols, --to, or the file itself)")
    elif stored.first not in (None, imported.first_trading_group):
        differing.append(
            f"the first day to trade (--from, which was {_day_of(imported.table, stored.first)})"
        )
    if stored.configuration != settings.fingerprint:
        differing.append("the configuration (--config, or a file in it)")
    if stored.code is not None:
        differing += code_changes(stored.code, code, settings.directory)
    if differing:
        raise StateError(
            f"{directory.path} holds session {stored.number} of other inputs: {' and '.join(differing)} changed. "
            f"Run with the same ones to resume it, with --fresh to archive it, or with another --state DIR"
        )


def _day_of(table: BarTable, group: int | None) -> date:
    return date.fromordinal(int(table.session[table.starts[group or 0]]))


def resume_at(directory: StateDirectory, stored: Session, first: int, groups: int) -> int:
    """Return the first of `groups` bar groups to publish: the one after the last that settled.

    Each bar's decision is in the risk manager's database before the bar can settle. A session that ended cleanly knows
    the last one settled, and is believed where that database has come so far; after a crash its newest snapshot tells
    the last bar decided. If that decision never reached the gateway, the bar is published again: its order refs are the
    same. Raises StateError when session.json is ahead of the database: bars would be passed over.
    """
    databases = directory.databases()
    snapshot = _decided(databases)
    decided = first - 1 if snapshot is None else snapshot.bar
    if stored.bar > decided:
        raise StateError(
            f"{directory.path / SESSION}: found bar {stored.bar} as the last that settled, "
            f"{_says(databases.path(RISK), snapshot, first)}: one of them was changed, or is an older copy; {_ADVICE}"
        )
    if stored.completed and stored.bar + 1 < groups:
        raise StateError(
            f"{directory.path / SESSION}: found a completed session whose last settled bar is {stored.bar}, but its "
            f"bars go on to {groups - 1}: it was changed; {_ADVICE}"
        )

    def at_gateway() -> tuple[Sequence[OrderEntry], MachineSnapshot | None]:
        if not is_begun(databases.url(GATEWAY)):
            return (), None
        with closing(JournalReader.open(databases.url(GATEWAY), GATEWAY)) as gateway:
            return gateway.orders(), gateway.snapshot(LATCH)

    return bar_to_resume(settled=stored.bar, first=first, decided=snapshot, at_gateway=at_gateway)


def _decided(databases: Databases) -> MachineSnapshot | None:
    """Return the risk manager's newest snapshot, which is of the last bar decided; None where it decided none."""
    if not is_begun(databases.url(RISK)):
        return None
    with closing(JournalReader.open(databases.url(RISK), RISK)) as reader:
        return reader.snapshot(SNAPSHOT)


def _says(database: Path, snapshot: MachineSnapshot | None, first: int) -> str:
    if snapshot is None:
        return f"but {database} tells of no bar decided (the first to trade is {first})"
    return f"but the last that {database} tells of is {snapshot.bar}"
