"""Choose the size of a test: small in `make test`, full in `make prove`."""

from __future__ import annotations

import os

PROVE = os.environ.get("BREAKWATER_PROVE", "") == "1"
"""True under `make prove`."""


def prove_size(small: int, full: int) -> int:
    """Return `full` under `make prove`, else `small`: a count of examples, seeds, orders or seconds."""
    return full if PROVE else small
