"""Find the real market data that some tests replay."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The repository's root."""


def data_directory() -> Path | None:
    """Return the folder of the Parquet files: `BREAKWATER_DATA`, else `../shared/data`; None where there is none.

    Raises `FileNotFoundError` when BREAKWATER_DATA names a folder that does not exist: a wrong setting must not
    look like a skipped test.
    """
    named = os.environ.get("BREAKWATER_DATA")
    if named:
        folder = Path(named).expanduser()
        if not folder.is_dir():
            raise FileNotFoundError(
                f"BREAKWATER_DATA={named}: no such folder; unset it or name the data's folder"
            )
        return folder
    folder = ROOT.parent / "shared" / "data"
    return folder if folder.is_dir() else None
