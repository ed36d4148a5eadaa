"""Check a state directory: who holds it, its halts, its databases, the end of its audit trail."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cli.resuming import ROLES, refuse_damaged
from cli.stored_status import stored_status
from cli.stores import Stores, find_stores, reading
from cli.trail import verifier
from cli.verdicts import Finding, failed, ok, warning
from domain.errors import BreakwaterError, NotRunning
from domain.records import Rung
from storage.audit.chain import trail_files
from storage.audit.checkpoints import CHECKPOINTS, last_held
from storage.audit.recovery import recover_position
from storage.engine import is_begun
from storage.state import MARKER
from storage.state_lock import LOCK, is_in_use


def check_state(config: Path | None, state: Path) -> Iterator[Finding]:
    """Yield what there is to say of a state directory; without one, that there is none yet."""
    try:
        stores = find_stores(state)
    except NotRunning:
        yield ok("state directory", f"{state.absolute()}: none yet, `breakwater run` makes it")
        return
    except BreakwaterError as error:
        yield failed("state directory", str(error), "name another with --state DIR")
        return
    yield _holder(stores)
    yield _latch(state)
    told = 0
    for role in ROLES:
        finding, events = _database(stores, role)
        told += events
        yield finding
    yield _trail(stores, config, told)
    yield _whole(stores)


def _holder(stores: Stores) -> Finding:
    path = stores.directory.path
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return failed(
            "state directory", f"{path} cannot be read and written", "run as the user who runs the engine"
        )
    if not (path / MARKER).exists():
        found = f"{path} holds session {stores.session.number} and no {MARKER}: `run` takes it for another's"
        return failed("state directory", found, "put that file back from a copy of the whole directory")
    lock = path / LOCK
    by = f"in use by {lock.read_text(errors='replace').strip() or 'a process'}" if is_in_use(path) else "free"
    return ok("state directory", f"{path}: session {stores.session.number}, {by}")


def _latch(state: Path) -> Finding:
    try:
        found = stored_status(state)
    except BreakwaterError as error:
        return failed("halt latch", str(error), "put the state directory back from a copy")
    store, file = Rung[found["rung"]], Rung[found["file_rung"]]
    scopes = "".join(f", {scope} {rung}" for scope, rung in found["scoped"])
    words = f"the latch file says {file.name}, the store {store.name}"
    if found["file_raises"]:
        starts = max(file, store).name
        advice = f"the next run starts {starts}, the file a cause of its own; then `breakwater resume`"
        return warning("halt latch", words, advice)
    if file is not store:
        return warning("halt latch", words, f"none: the next run starts {store.name}, and so says its file")
    if store > Rung.ACTIVE or scopes:
        why = "; ".join(f"{each['trigger']}: {each['detail']}" for each in found["halted_by"])
        return warning(
            "halt latch", f"{store.name}{scopes}: {why}", "`breakwater resume` once that is settled"
        )
    return ok("halt latch", "ACTIVE, in store and file")


def _database(stores: Stores, role: str) -> tuple[Finding, int]:
    """Return what there is to say of a role's database, and how many events it has told."""
    check = f"database {role}"
    try:
        if not is_begun(stores.directory.database_url(role)):
            return warning(check, "not begun", "none, where the session has just begun"), 0
        with reading(stores, role) as reader:
            events = reader.outbox_range()[1]
    except BreakwaterError as error:
        return failed(check, str(error), "put the state directory back from a copy, or --fresh"), 0
    return ok(check, f"opens; {events:,} events told"), events


def _trail(stores: Stores, config: Path | None, told: int) -> Finding:
    trail, check = stores.directory.audit, "audit trail"
    if told and not trail_files(trail):
        found = f"{trail} holds no record, though the databases have told {told:,} events"
        return failed(check, found, "put it back from a copy of the whole directory, or --fresh")
    try:
        last, _, reached = last_held(trail / CHECKPOINTS, trail, verifier(config))
        position = recover_position(trail, last, reached)
    except (BreakwaterError, OSError) as error:
        return failed(check, str(error), "`breakwater audit verify` names the place")
    unsigned = position.seq - position.signed_seq
    return ok(check, f"record {position.seq:,}; the last {unsigned:,} not signed yet, and they follow")


def _whole(stores: Stores) -> Finding:
    """Look for what `run` would refuse to go on with: a file of the session that is missing, hollow or none of ours."""
    check, directory = "session", stores.directory
    if is_in_use(directory.path):
        return ok(check, "in use")
    try:
        refuse_damaged(directory, directory.databases(), resumed=True)
    except BreakwaterError as error:
        return failed(check, str(error), "see there")
    return ok(check, "complete" if stores.session.completed else "`breakwater run` goes on with it")
