"""Read an engine's snapshot field by field: what is absent, or of another kind than thought, is simply not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Fields:
    """Look into a mapping that may hold less than one hopes: engines of several kinds and ages are shown."""

    __slots__ = ("_values",)

    def __init__(self, values: object) -> None:
        """Read `values`; anything but a mapping holds nothing."""
        self._values: Mapping[str, Any] = values if isinstance(values, Mapping) else {}

    def __contains__(self, name: str) -> bool:
        """Say whether anything stands under `name`."""
        return self._values.get(name) is not None

    def number(self, name: str) -> float | None:
        """Return a figure, None where there is none."""
        value = self._values.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def whole(self, name: str, default: int = 0) -> int:
        """Return a whole number."""
        value = self._values.get(name)
        return value if isinstance(value, int) else default

    def text(self, name: str) -> str:
        """Return a text, "" where there is none."""
        value = self._values.get(name)
        return "" if value is None else str(value)

    def truth(self, name: str) -> bool | None:
        """Return yes or no, None where neither is said."""
        value = self._values.get(name)
        return value if isinstance(value, bool) else None

    def within(self, name: str) -> Fields:
        """Return the mapping under `name`."""
        return Fields(self._values.get(name))

    def listed(self, name: str) -> Sequence[Any]:
        """Return the list under `name`."""
        value = self._values.get(name)
        return value if isinstance(value, list | tuple) else ()

    def named(self) -> list[tuple[str, Any]]:
        """Return what stands here, name by name, in its order."""
        return [(str(name), value) for name, value in self._values.items()]
