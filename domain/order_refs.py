"""Name orders: "session.book.symbol.bar.n", and a protective stop after its entry. A symbol may hold dots itself."""

from __future__ import annotations

STOP_SUFFIX = ".stop"
"""What a venue adds to an entry's ref to name its attached stop (`domain.broker.PlaceOrder`)."""


def order_ref(session: int, book: str, symbol: str, bar: int) -> str:
    """Return the ref of the order that `book` makes in `symbol` at `bar`: a bar makes at most one."""
    return f"{session}.{book}.{symbol}.{bar}.1"


def without_session(ref: str) -> str:
    """Return an order ref without its session number, as decisions name it: two sessions on one data set must agree."""
    return ref.partition(".")[2]
