"""Decide whether one more restart is borne: no more than so many within a window (Erlang/OTP's restart intensity)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Intensity(NamedTuple):
    """Bear `most` restarts within any `within_s` seconds of the control clock."""

    most: int
    within_s: float


def recent(ends_s: Sequence[float], now_s: float, intensity: Intensity) -> tuple[float, ...]:
    """Return those of `ends_s` that still count at `now_s`.

    A time beyond `now_s` was kept by a machine that has booted since: its clock began anew, and it counts no more.
    """
    return tuple(at_s for at_s in ends_s if now_s - intensity.within_s < at_s <= now_s)


def bears_another(ends_s: Sequence[float], now_s: float, intensity: Intensity) -> bool:
    """Return whether a role that ended at each of `ends_s`, the present end included, is started once more."""
    return len(recent(ends_s, now_s, intensity)) <= intensity.most
