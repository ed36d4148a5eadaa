"""Read a state directory's stores from outside: while an engine runs, and when none does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from domain.errors import ConfigurationError, NotRunning, StateError
from storage.audit.chain import trail_files
from storage.audit.checkpoints import CHECKPOINTS
from storage.engine import is_begun
from storage.journal_reader import JournalReader
from storage.state import MARKER, SESSION, Session, StateDirectory


class SessionMissing(StateError):
    """Say that a state directory holds what a session wrote, and not the file that tells of the session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Name a state directory that an engine has used, and its present session."""

    directory: StateDirectory
    session: Session


def find_stores(path: Path) -> Stores:
    """Return the stores of the state directory `path`.

    What a killed engine was committing is finished first. Raises NotRunning where no engine has been,
    ConfigurationError for a place that is no state directory, SessionMissing where the session's file was taken away,
    StateError when it cannot be read, and StateError or DurabilityError when that commit cannot be finished.
    """
    directory = StateDirectory(path)
    hint = "`breakwater run` starts one; --state DIR names another directory"
    try:
        if not path.exists():
            raise NotRunning(
                f"state directory {directory.path} does not exist: no engine has run here; {hint}"
            )
        if not path.is_dir():
            raise ConfigurationError(f"--state: found {directory.path}, a file; allowed: a state directory")
        names = {entry.name for entry in path.iterdir()}
    except OSError as error:
        raise StateError(
            f"state directory {directory.path} cannot be read: {error.strerror or error}; "
            f"run as the user who runs the engine"
        ) from error
    # A session that --fresh archived keeps all but the marker, and can be read where it lies.
    if names and not names & {MARKER, SESSION} and not has_trail(directory.audit):
        raise ConfigurationError(
            f"--state: found {directory.path}, which is no state directory (it has no {MARKER}); "
            f"allowed: a directory that an engine has used"
        )
    session = directory.session()
    if session is None:
        _refuse_remains(directory)
        raise NotRunning(
            f"state directory {directory.path} has no session: no engine has run here yet; {hint}"
        )
    directory.finish_commit()
    return Stores(directory=directory, session=session)


def has_trail(audit: Path) -> bool:
    """Return whether the directory `audit` holds records of a trail, or checkpoints; raises OSError."""
    return bool(trail_files(audit)) or (audit / CHECKPOINTS).exists()


def _refuse_remains(directory: StateDirectory) -> None:
    """Raise SessionMissing when a session has written here, though there is none; StateError, if it cannot be seen."""
    try:
        remains = sorted(path.name for path in directory.path.glob("*.db"))
        remains += ["an audit trail"] if has_trail(directory.audit) else []
    except OSError as error:
        raise StateError(
            f"{error.filename or directory.path} cannot be read: {error.strerror or error}; "
            f"run as the user who runs the engine"
        ) from error
    if remains:
        raise SessionMissing(
            f"{directory.path / SESSION} is missing, though {directory.path} holds {', '.join(remains)}: it was taken "
            f"away; put it back from a copy of the whole directory (`breakwater audit verify` verifies the trail "
            f"without it), or begin a new session with `breakwater run --fresh`, which archives what is there"
        )


@contextmanager
def reading(stores: Stores, role: str) -> Iterator[JournalReader]:
    """Yield a reader of `role`'s database; raises NotRunning where it has none yet, StateError where it is damaged."""
    path, url = stores.directory.database(role), stores.directory.database_url(role)
    if not is_begun(url):
        raise NotRunning(
            f"{path} does not exist or is blank: session {stores.session.number} has written nothing there yet; "
            f"ask again once the engine trades, or name another directory with --state DIR"
        )
    reader = JournalReader.open(url, role)
    try:
        yield reader
    except SQLAlchemyError as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        raise StateError(
            f"{path} cannot be read: {cause}. Keep a copy of it, then start with --fresh"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(
            f"{path} holds a row that this version cannot read ({type(error).__name__}: {error}); "
            f"use the version that wrote it"
        ) from error
    finally:
        reader.close()
