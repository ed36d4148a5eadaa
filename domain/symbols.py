"""Read the ways people write a symbol into one, and take symbols apart."""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_LENGTH = 40
"""The longest text taken for a symbol; the longest known ones have about 30 characters."""

# fmt: off
QUOTE_CURRENCIES = frozenset({
    "AUD", "BNB", "BTC", "BUSD", "CAD", "CHF", "DAI", "ETH", "EUR", "FDUSD", "GBP", "JPY", "KRW", "TRY", "TUSD", "USD",
    "USDC", "USDD", "USDT",
})
# fmt: on
"""Currencies by which BASE-QUOTE and BASE_QUOTE are told from a class share."""

_ASSET = r"[A-Z0-9]{1,20}"
_VENUE = re.compile(r"[a-z0-9][a-z0-9_]{0,19}")
_PAIR = re.compile(rf"(?P<base>{_ASSET})/(?P<quote>[A-Z0-9]{{2,20}})(?::(?P<settle>[A-Z0-9]{{2,20}}))?")
_DASHED_PAIR = re.compile(rf"(?P<base>{_ASSET})[-_](?P<quote>[A-Z]{{3,5}})")
_PERPETUAL = re.compile(rf"(?P<base>{_ASSET})-PERP")
_LISTED = re.compile(r"(?P<base>[A-Z0-9]{1,12})\.(?P<mic>[A-Z][A-Z0-9]{3})")
_CLASS_SHARE = re.compile(r"(?P<base>[A-Z0-9]{1,12})[. -](?P<share_class>[A-Z]{1,2})")
_PLAIN = re.compile(r"[A-Z0-9]{1,12}")

FORMS = (
    "AAPL (a share), BRK.B, BRK-B or 'BRK B' (a class of shares), 6EH4.XCME (with an exchange's four-letter code), "
    "BTC/USDT (a pair), BTC/USDT:USDT or BTC-PERP (a perpetual), each also with @venue"
)


class Symbol(NamedTuple):
    """Hold the parts of a symbol; parts it does not have are empty.

    `base` is a share's root, a pair's base or a contract's code; `settle` is set on perpetuals only, whose quote is
    empty where they are written BASE-PERP.
    """

    base: str
    share_class: str = ""
    mic: str = ""
    quote: str = ""
    settle: str = ""
    perpetual: bool = False
    venue: str = ""

    @property
    def is_pair(self) -> bool:
        """Return whether it names one asset in terms of another."""
        return bool(self.quote)

    @property
    def text(self) -> str:
        """Return the one way the engine writes this symbol."""
        if self.quote:
            body = f"{self.base}/{self.quote}" + (f":{self.settle}" if self.settle else "")
        elif self.perpetual:
            body = f"{self.base}-PERP"
        else:
            body = ".".join(part for part in (self.base, self.share_class or self.mic) if part)
        return f"{body}@{self.venue}" if self.venue else body


def parse_symbol(text: str) -> Symbol:
    """Return the parts of the symbol `text`; upper and lower case mean the same.

    Raises ValueError, saying what was found and which forms are allowed, when it is none.
    """
    if not text.isprintable() or not text.isascii():
        raise ValueError(f"symbol {text[:MAX_LENGTH]!a} holds characters other than printable ASCII")
    trimmed = text.strip(" ")
    if not trimmed:
        raise ValueError("a symbol is empty")
    if len(trimmed) > MAX_LENGTH:
        raise ValueError(
            f"symbol {trimmed[:MAX_LENGTH]!r}... has {len(trimmed)} characters; at most {MAX_LENGTH}"
        )
    body, at, venue = trimmed.partition("@")
    if at and not _VENUE.fullmatch(venue.lower()):
        raise ValueError(
            f"symbol {trimmed!r} has no proper venue after '@'; found {venue!r}, write e.g. @coinbase"
        )
    parts = _parse_body(body.upper())
    if parts is None:
        raise ValueError(f"symbol {trimmed!r} is of no known form; known are {FORMS}")
    return parts._replace(venue=venue.lower())


def _parse_body(body: str) -> Symbol | None:
    if _PLAIN.fullmatch(body):
        return Symbol(body)
    if pair := _PAIR.fullmatch(body):
        settle = pair["settle"] or ""
        return Symbol(pair["base"], quote=pair["quote"], settle=settle, perpetual=bool(settle))
    if perpetual := _PERPETUAL.fullmatch(body):
        return Symbol(perpetual["base"], perpetual=True)
    if (pair := _DASHED_PAIR.fullmatch(body)) and pair["quote"] in QUOTE_CURRENCIES:
        return Symbol(pair["base"], quote=pair["quote"])
    if listed := _LISTED.fullmatch(body):
        return Symbol(listed["base"], mic=listed["mic"])
    if share := _CLASS_SHARE.fullmatch(body):
        return Symbol(share["base"], share_class=share["share_class"])
    return None


def normalise_symbol(text: str) -> str:
    """Return the one way the engine writes the symbol `text`; raises ValueError as `parse_symbol` does."""
    return parse_symbol(text).text
