"""Know where the databases of one session lie."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from config.database_url import filled
from domain.errors import StateError
from storage.engine import sqlite_path
from storage.files import LOCK_SUFFIX, await_writers, make_directories


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """Be the databases of session number `session` in the state directory `state` (absolute).

    `template` is what `engine.yaml: storage.url` says; `config.database_url` judges it.
    """

    template: str
    state: Path
    session: int

    def url(self, role: str) -> str:
        """Return the URL of `role`'s database."""
        return filled(self.template, self.state, role, self.session)

    def path(self, role: str) -> Path:
        """Return the file of `role`'s database."""
        return sqlite_path(self.url(role))

    def make_places(self, roles: Iterable[str]) -> None:
        """Make the directories of the databases that are missing (mode 0700); raises StateError for an unusable one."""
        for directory in sorted({self.path(role).parent for role in roles}):
            try:
                make_directories(directory)
            except OSError as error:
                raise StateError(self._unusable(directory, error.strerror or str(error))) from error
            if not os.access(directory, os.W_OK | os.X_OK):
                raise StateError(self._unusable(directory, "this user may not write there"))

    def await_writers(self, roles: Iterable[str]) -> None:
        """Wait a little for the writers of a killed engine: until they end, what is read may not be the last word.

        Raises StateError for one that does not end.
        """
        paths = [self.path(role) for role in roles]
        await_writers(path.with_name(path.name + LOCK_SUFFIX) for path in paths)

    def _unusable(self, directory: Path, why: str) -> str:
        return (
            f"{directory} cannot hold this session's databases: {why}; make it a directory of this user, or name "
            f"another place in engine.yaml: storage.url (found {self.template!r})"
        )
