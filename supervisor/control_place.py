"""Find the control socket a place: in the state directory, or, where that one's path is too long, in a short one."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from pathlib import Path

from domain.errors import DurabilityError, EnvironmentFault
from storage.files import replace_file
from storage.place import PLACE, place_of
from supervisor.control_wire import ADDRESS, SHORT_PREFIX, SOCKET, fits, read_address, write_line

_BACKLOG = 128


class ControlPlace:
    """Own the address at which one engine listens, and the token that opens it."""

    def __init__(self, state_dir: Path) -> None:
        """Name the state directory; nothing is made yet."""
        self._state_dir = state_dir
        self.token = os.urandom(32).hex()
        self._address: Path | None = None

    def listen(self) -> socket.socket:
        """Return a listening socket that does not block, its address and token written where clients look.

        Raises EnvironmentFault when that is not possible.
        """
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._address = self._free_address()
            listener.bind(str(self._address))
            self._address.chmod(0o600)
            place = place_of(self._state_dir)
            content = {"path": str(self._address), "token": self.token, "pid": os.getpid(), PLACE: place}
            replace_file(self._state_dir / ADDRESS, write_line(content))
            # Only now: who connected before with the token of the life before this one would be refused.
            listener.listen(_BACKLOG)
            listener.setblocking(False)
        except (OSError, DurabilityError) as error:
            listener.close()
            self.leave()
            raise EnvironmentFault(
                f"the control socket of {self._state_dir} cannot be opened: {error}"
            ) from error
        return listener

    def leave(self) -> None:
        """Take socket and address away, unless a later engine has put its own there."""
        address, self._address = self._address, None
        known = read_address(self._state_dir)
        ours = known is not None and known.token == self.token
        if address is not None and (ours or known is None or Path(known.path) != address):
            _clear(address)
        if ours:
            (self._state_dir / ADDRESS).unlink(missing_ok=True)

    def _free_address(self) -> Path:
        """Return an address that is free and short enough; a former engine's socket is cleared away."""
        former = read_address(self._state_dir)
        if former is not None:
            _clear(Path(former.path))
        usual = self._state_dir.absolute() / SOCKET
        if fits(usual):
            usual.unlink(missing_ok=True)
            return usual
        short = Path("/tmp")
        parent = short if short.is_dir() and os.access(short, os.W_OK) else Path(tempfile.gettempdir())
        return Path(tempfile.mkdtemp(prefix=SHORT_PREFIX, dir=parent)) / SOCKET


def _clear(address: Path) -> None:
    """Remove a socket, and the short directory that was made for it; what is not there, or no socket's, stays."""
    if address.name != SOCKET:
        return
    with contextlib.suppress(OSError):
        address.unlink(missing_ok=True)
    if address.parent.name.startswith(SHORT_PREFIX):
        shutil.rmtree(address.parent, ignore_errors=True)
