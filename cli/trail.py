"""Find the audit trail of a state directory, its key and its index."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.exc import SQLAlchemyError

from cli.interrupts import undoing_at_interrupts
from cli.stores import SessionMissing, Stores, find_stores, has_trail
from config.credentials import hand_over_audit_key, read_credentials
from config.violations import InvalidConfiguration
from domain.errors import AuditError, EnvironmentFault, StateError
from storage.audit.index import AuditIndex
from storage.audit.keys import KEY_VARIABLE, Verifier, load_signer
from storage.engine import sqlite_url
from storage.state import Session, StateDirectory

INDEX = "index.db"
"""Name of the index beside the trail: it can be deleted at any time."""


def find_trail(state: Path) -> Stores:
    """Return the stores of a state directory that holds a trail, or what should be one.

    Raises as `find_stores`, and AuditError where neither records nor checkpoints are left.
    """
    stores = find_stores(state)
    trail = stores.directory.audit
    try:
        if not has_trail(trail):
            raise AuditError(
                f"{trail} holds no audit trail, though session {stores.session.number} was begun here: "
                f"it was never written, or taken away; restore it from a copy"
            )
    except OSError as error:
        raise unreadable(trail, error) from error
    return stores


def find_trail_alone(state: Path) -> tuple[StateDirectory, Session | None]:
    """Return the state directory of a trail, and its session: None where that was taken away and the trail is there.

    Raises as `find_trail` otherwise.
    """
    try:
        stores = find_trail(state)
    except SessionMissing:
        directory = StateDirectory(state)
        if not has_trail(directory.audit):
            raise
        return directory, None
    return stores.directory, stores.session


def verifier(config: Path | None = None) -> Verifier:
    """Return the key at hand, to verify with: the environment's, that of `.env` in `config`, or the key file.

    Raises EnvironmentFault or ConfigurationError.
    """
    _read_key_of_dotenv(config)
    try:
        return load_signer(os.environ).verifier
    except OSError as error:
        raise EnvironmentFault(
            f"the audit key {error.filename} cannot be read: {error.strerror or error}; verify as the user who runs "
            f"the engine, or set {KEY_VARIABLE}"
        ) from error


def _read_key_of_dotenv(config: Path | None) -> None:
    """Take the key from where `run` takes it; the rest of the configuration says nothing about a trail."""
    if os.environ.get(KEY_VARIABLE):
        return
    others = {name: value for name, value in os.environ.items() if name != KEY_VARIABLE}
    credentials, faults = read_credentials(others, (config or Path.cwd()) / ".env")
    if credentials is None:
        raise InvalidConfiguration(faults)
    hand_over_audit_key(credentials, os.environ)


@contextmanager
def opened_index(stores: Stores) -> Iterator[AuditIndex]:
    """Yield the index of the trail; it lies beside it, or in a passing place where the trail may only be read."""
    trail = stores.directory.audit
    if os.access(trail, os.W_OK):
        with _index(trail, trail / INDEX) as index:
            yield index
    else:
        with (
            undoing_at_interrupts(),
            TemporaryDirectory(prefix="breakwater-index-") as scratch,
            _index(trail, Path(scratch) / INDEX) as index,
        ):
            yield index


@contextmanager
def _index(trail: Path, place: Path) -> Iterator[AuditIndex]:
    try:
        index = AuditIndex(trail, sqlite_url(place))
    except StateError as error:
        raise StateError(f"{error} The index can be rebuilt: delete {place}") from error
    try:
        yield index
    except SQLAlchemyError as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        raise StateError(
            f"the index {place} cannot be used: {cause}; delete it, it will be rebuilt"
        ) from error
    except AuditError as error:
        raise AuditError(f"{trail}: {error}; `breakwater audit verify` names the place") from error
    finally:
        index.close()


def unreadable(path: Path, error: OSError) -> StateError:
    """Return the refusal of a file that cannot be read."""
    return StateError(
        f"{error.filename or path} cannot be read: {error.strerror or error}; run as the user who runs the engine"
    )
