"""Locate the daily bars that the package bokeh_sampledata brings along."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from domain.errors import DataError

SAMPLE_SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
"""What the sample holds, daily from 2000-03-01 (GOOG 2004-08-19, FB 2012-05-18) to 2013-03-01."""

_PACKAGE = "bokeh_sampledata"


def sample_path() -> Path:
    """Return the file of the sample's bars (CSV in gzip: raw prices with an adjusted close, no splits).

    Raises DataError when the package is not installed or holds no such file.
    """
    try:
        resource = files(_PACKAGE) / "_data" / "stocks.csv.gz"
    except ModuleNotFoundError as error:
        raise DataError(
            f"the package {_PACKAGE} is not installed; install it or give a file of bars"
        ) from error
    path = Path(str(resource))
    if not path.is_file():
        raise DataError(f"the package {_PACKAGE} holds no {path.name} at {path}; give a file of bars")
    return path
