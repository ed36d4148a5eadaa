"""Say who asks: the user that the system knows, the process, and the name that was given besides."""

from __future__ import annotations

import getpass
import os


def asker(name: str = "") -> str:
    """Return in words who runs this process; a user without an entry in the system's list is told by number."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"user {os.getuid()}"
    return f"{user} (process {os.getpid()}){f' as {name}' if name else ''}"
