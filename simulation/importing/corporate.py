"""Make one comparable price series of raw prices: splits taken out, dividends kept as cash."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from domain.bars import Floats, Ints
from simulation.importing.layouts import Adjustment
from simulation.importing.quality import CODE, Codes, RowRule
from simulation.importing.report import Distribution, SplitApplied
from simulation.importing.rows import Rows
from simulation.importing.stamps import date_text

CONTRADICTION = 0.02
"""A dividend above this share of the previous close, on the day of a split, states the same event twice."""

LARGE_DISTRIBUTION = 0.08
"""A dividend above this share of the close is listed: a special dividend, a spin-off or a class issue."""

_UNREAD_TOLD = 5
MAX_SMALLER_TERM = 20
SNAP_TOLERANCE = 2e-4
_TELLING_SPLIT = math.log(1.15)
_PRICES = ("open", "high", "low", "close")
_VOID = tuple(
    CODE[rule]
    for rule in (
        RowRule.BAD_STAMP,
        RowRule.UNKNOWN_SYMBOL,
        RowRule.BAD_ADJUSTMENT,
        RowRule.DUPLICATE,
        RowRule.CONFLICT,
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """Say what was done about splits and dividends; `already_applied` when the prices held the splits before."""

    splits: tuple[SplitApplied, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    already_applied: bool = False


def snap_ratio(ratio: float) -> Fraction | None:
    """Return the simplest p/q within 0.02 % of `ratio` whose smaller term is at most 20; None when there is none.

    0.3333 becomes 1/3, 1.499999 becomes 3/2, 0.05 becomes 1/20. Raises ValueError unless `ratio` is positive.
    """
    if not (math.isfinite(ratio) and ratio > 0.0):
        raise ValueError(f"a split ratio must be positive, found {ratio}")
    large = 1.0 / ratio if ratio < 1.0 else ratio
    for q in range(1, MAX_SMALLER_TERM + 1):
        p = round(large * q)
        if abs(p / q - large) <= SNAP_TOLERANCE * large:
            return Fraction(q, p) if ratio < 1.0 else Fraction(p, q)
    return None


def adjust(rows: Rows, codes: Codes, symbols: Sequence[str], how: Adjustment) -> tuple[Rows, Actions]:
    """Return `rows` with prices, volume and dividends of one comparable unit per symbol, and what was done.

    Rows with code 0 are adjusted, the others left. Splits and dividends count also where the bar of their day was
    refused. With `ADJUSTED_CLOSE` prices are scaled by adj_close / close and volume inversely, so that the traded value
    stays; with `SPLITS` prices are divided by the product of all later splits and volume multiplied by it.
    """
    if how is Adjustment.ADJUSTED_CLOSE:
        with np.errstate(all="ignore"):
            return _scaled(rows, codes == 0, rows.close / rows.adj_close), Actions()
    # One of a row that is refused for another reason need not be a ratio at all.
    split_days = _action_days(rows, codes, (rows.split != 1.0) & np.isfinite(rows.split) & (rows.split > 0.0))
    already = _already_applied(rows, codes, split_days)
    if already:
        split_days = split_days[:0]
    factor = np.ones(len(rows))
    splits: list[SplitApplied] = []
    for day in split_days.tolist():
        split = _split_applied(rows, day, symbols)
        splits.append(split)
        factor[(rows.symbol_id == rows.symbol_id[day]) & (rows.ts_ns < rows.ts_ns[day])] *= split.factor
    scaled = _scaled(rows, codes == 0, factor)
    dividend, distributions = _pay_dividends(rows, codes, symbols, factor, split_days)
    actions = Actions(splits=tuple(splits), distributions=tuple(distributions), already_applied=already)
    return replace(scaled, dividend=dividend), actions


def unread_splits(rows: Rows, codes: Codes, symbols: Sequence[str]) -> tuple[str, ...]:
    """Return a note for each row whose split cannot be read: what it did to the prices is not taken out of them."""
    unread = np.flatnonzero((codes != 0) & ~(np.isfinite(rows.split) & (rows.split > 0.0)))
    told = [
        f"{symbols[rows.symbol_id[row]]} {date_text(int(rows.ts_ns[row]))}: what it states as a split is none, and the "
        f"prices before it are left as they are; correct the file if there was one"
        for row in unread[:_UNREAD_TOLD].tolist()
    ]
    more = len(unread) - len(told)
    return (*told, *([f"{more} more rows state a split that is none"] if more else ()))


def _scaled(rows: Rows, which: NDArray[np.bool_], factor: Floats) -> Rows:
    """Return `rows` with prices divided, and volume multiplied, by `factor`.

    All four prices of a bar are divided by one number, which keeps their order: no bar becomes crossed.
    """
    with np.errstate(all="ignore"):
        prices = {
            name: np.where(which, getattr(rows, name) / factor, getattr(rows, name)) for name in _PRICES
        }
        return replace(rows, volume=np.where(which, rows.volume * factor, rows.volume), **prices)


def _action_days(rows: Rows, codes: Codes, stated: NDArray[np.bool_]) -> Ints:
    """Return the rows that state an action, one per symbol and time (an accepted one first), oldest first."""
    found = np.flatnonzero(stated & ~np.isin(codes, _VOID))
    found = found[np.lexsort((codes[found] != 0, rows.ts_ns[found], rows.symbol_id[found]))]
    again = (np.diff(rows.symbol_id[found]) == 0) & (np.diff(rows.ts_ns[found]) == 0)
    kept: Ints = found[np.concatenate(([True], ~again))] if len(found) else found
    return kept


def _previous(rows: Rows, codes: Codes, day: int) -> int | None:
    """Return the last accepted row of the symbol before the row `day`."""
    before = np.flatnonzero(
        (rows.symbol_id == rows.symbol_id[day]) & (codes == 0) & (rows.ts_ns < rows.ts_ns[day])
    )
    return int(before[np.argmax(rows.ts_ns[before])]) if len(before) else None


def _already_applied(rows: Rows, codes: Codes, split_days: Ints) -> bool:
    """Return whether most splits show in no price: the file lists them, its prices hold them already."""
    shown = hidden = 0
    for day in split_days.tolist():
        previous = _previous(rows, codes, day)
        log_ratio = math.log(rows.split[day])
        if codes[day] == 0 and previous is not None and abs(log_ratio) > _TELLING_SPLIT:
            move = math.log(rows.open[day] / rows.close[previous])
            hidden += abs(move) < abs(move + log_ratio)
            shown += abs(move) >= abs(move + log_ratio)
    return hidden > shown


def _split_applied(rows: Rows, day: int, symbols: Sequence[str]) -> SplitApplied:
    stated = float(rows.split[day])
    snapped = snap_ratio(stated)
    return SplitApplied(
        symbol=symbols[rows.symbol_id[day]],
        date=date_text(int(rows.ts_ns[day])),
        stated=stated,
        applied=f"{stated!r} as stated" if snapped is None else f"{snapped.numerator}/{snapped.denominator}",
        factor=stated if snapped is None else float(snapped),
    )


def _pay_dividends(
    rows: Rows, codes: Codes, symbols: Sequence[str], factor: Floats, split_days: Ints
) -> tuple[Floats, list[Distribution]]:
    """Return the dividend column in adjusted units, and the dividends worth listing."""
    dividend = np.zeros(len(rows))
    listed: list[Distribution] = []
    splits = {(int(rows.symbol_id[day]), int(rows.ts_ns[day])) for day in split_days}
    for day in _action_days(rows, codes, rows.dividend > 0.0).tolist():
        at = _payable_at(rows, codes, day)
        cash = float(rows.dividend[day])
        share = None if at is None else cash / float(rows.close[at])
        with_split = (int(rows.symbol_id[day]), int(rows.ts_ns[day])) in splits
        unpaid = _why_unpaid(rows, codes, day, at, with_split)
        if at is not None and not unpaid:
            dividend[at] += cash / factor[day]
        reason = unpaid or _why_listed(rows, day, at, share)
        if reason:
            listed.append(
                Distribution(
                    symbol=symbols[rows.symbol_id[day]],
                    date=date_text(int(rows.ts_ns[day])),
                    cash=cash,
                    share_of_close=share,
                    paid=not unpaid,
                    reason=reason,
                )
            )
    return dividend, listed


def _why_unpaid(rows: Rows, codes: Codes, day: int, at: int | None, with_split: bool) -> str:
    """Return why the dividend of row `day` is not paid; empty when it is."""
    previous = _previous(rows, codes, day) if with_split else None
    if previous is not None and rows.dividend[day] > CONTRADICTION * rows.close[previous]:
        return "states the split of that day a second time: set aside"
    return "no later bar to pay it at" if at is None else ""


def _why_listed(rows: Rows, day: int, at: int | None, share: float | None) -> str:
    """Return why a dividend that is paid is listed; empty when it is an ordinary one."""
    if at is not None and at != day:
        return f"the bar of that day was refused: paid {date_text(int(rows.ts_ns[at]))}"
    if share is not None and share > LARGE_DISTRIBUTION:
        return "large: special dividend, spin-off or class issue, paid as cash"
    return ""


def _payable_at(rows: Rows, codes: Codes, day: int) -> int | None:
    """Return the row at which the dividend of row `day` is paid: that row, or the symbol's next accepted one."""
    if codes[day] == 0:
        return day
    later = np.flatnonzero(
        (rows.symbol_id == rows.symbol_id[day]) & (codes == 0) & (rows.ts_ns > rows.ts_ns[day])
    )
    return int(later[np.argmin(rows.ts_ns[later])]) if len(later) else None
