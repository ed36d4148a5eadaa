"""Tell a directory from a copy of it: what a file in it says of running processes holds where it was written."""

from __future__ import annotations

import os
from pathlib import Path

Place = list[int]
"""Device and number of a directory: a copy has another, one that was moved or is reached by a link the same."""

PLACE = "place"
"""The key under which files keep it."""


def place_of(directory: Path) -> Place:
    """Return what tells `directory` from any other; raises OSError."""
    found = os.stat(directory)
    return [found.st_dev, found.st_ino]


def is_place(noted: object, directory: Path) -> bool:
    """Return whether `noted` is the place of `directory`, and not of one that it was copied from."""
    try:
        return noted == place_of(directory)
    except OSError:
        return False
