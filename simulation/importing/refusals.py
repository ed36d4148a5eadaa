"""Say of one refused row where it stands, what was found in it, and what usually makes rows like it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from domain.bars import LARGEST_VOLUME
from simulation.importing.quality import CODE, RULES, Codes, RowRule
from simulation.importing.reading import RawFile
from simulation.importing.rows import Rows

_PRICES = ("open", "high", "low", "close")
_AMOUNTS = (*_PRICES, "volume", "dividend")
_ROLES: Mapping[RowRule, tuple[str, ...]] = {
    RowRule.UNKNOWN_SYMBOL: ("symbol",),
    RowRule.NOT_FINITE: _AMOUNTS,
    RowRule.NOT_POSITIVE: _PRICES,
    RowRule.CROSSED: _PRICES,
    RowRule.NEGATIVE_VOLUME: ("volume", "dividend"),
    RowRule.EXCESSIVE_VOLUME: ("volume",),
    RowRule.MISSING_VOLUME: ("volume",),
    RowRule.BAD_ADJUSTMENT: ("split", "adj_close"),
}
"""What each rule looks at; those not named look at the stamp."""
_AT_FAULT: Mapping[RowRule, Callable[[float], bool]] = {
    RowRule.NOT_FINITE: lambda value: not np.isfinite(value),
    RowRule.NOT_POSITIVE: lambda value: value <= 0.0,
    RowRule.NEGATIVE_VOLUME: lambda value: value < 0.0,
    RowRule.EXCESSIVE_VOLUME: lambda value: value > LARGEST_VOLUME,
    RowRule.BAD_ADJUSTMENT: lambda value: not (np.isfinite(value) and value > 0.0),
}
"""Which of these values is at fault, where not all of them together are."""
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d[\d.' ]*,\d+\s*")
_GROUPED = re.compile(r"\s*[+-]?\d{1,3}(,\d{3})+(\.\d*)?\s*")
_SHOWN = 60


def first_refusal(files: tuple[RawFile, ...], rows: Rows, codes: Codes) -> str:
    """Return the first refused row in words: file, row, rule, columns and values; empty where no row was refused.

    Where a number is written with a decimal comma or with grouped digits it says so.
    """
    refused = np.flatnonzero(codes != CODE[RowRule.ACCEPTED])
    if not len(refused):
        return next((_ragged(file) for file in files if file.ragged), "")
    at = int(refused[0])
    file, rule = files[rows.file_id[at]], RULES[codes[at]]
    position = int(rows.position[at])
    found = _found(file, rows, at, rule)
    shown = ", ".join(f"{name} {str(value)[:_SHOWN]!r}" for name, value in found.items())
    place = f"{file.path}, row {int(file.rows[position])}"
    return f"the first of them, {place}: {rule.value}, found {shown}{_hint(found.values())}"


def _ragged(file: RawFile) -> str:
    number, text = file.ragged[0]
    return f"the first of them, {file.path}, row {number}: {RowRule.RAGGED.value}, found {text[:_SHOWN]!r}"


def _found(file: RawFile, rows: Rows, at: int, rule: RowRule) -> dict[str, Any]:
    """Return the columns that `rule` found fault with in the row `at`, and their values as the file has them."""
    roles = _ROLES.get(rule, ("stamp",))
    names = {role: name for role in roles if (name := getattr(file.layout, role)) is not None}
    at_fault = _AT_FAULT.get(rule)
    if at_fault is not None:
        guilty = {role: name for role, name in names.items() if at_fault(float(getattr(rows, role)[at]))}
        # An absent volume is no fault, though no number either; it is shown only where nothing else is at fault.
        guilty = {role: name for role, name in guilty.items() if role in _PRICES} or guilty
        names = guilty or names
    position = int(rows.position[at])
    return {name: file.table.column(name)[position].as_py() for name in names.values()}


def _hint(values: Any) -> str:
    texts = [value for value in values if isinstance(value, str)]
    if any(_GROUPED.fullmatch(text) and "." in text for text in texts):
        return "; digits in groups are not read: write 1234.5, not 1,234.5"
    if any(_DECIMAL_COMMA.fullmatch(text) for text in texts):
        return "; a decimal comma is not read: write 10.5, not 10,5"
    return ""
