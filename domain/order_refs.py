"""Name orders: "session.book.symbol.bar.n", and a protective stop after its entry. A symbol may hold dots itself.

An order with which a kill closes a position has no bar: "session.book.symbol.kill.n". So whoever reads a ref knows
the book that its executions belong to, also of an order that the gateway did not send.
"""

from __future__ import annotations

from typing import NamedTuple

STOP_SUFFIX = ".stop"
"""What a venue adds to an entry's ref to name its attached stop (`domain.broker.PlaceOrder`)."""

KILL = "kill"
"""What stands in the place of the bar in the ref of a kill's order."""


class Owner(NamedTuple):
    """Be the session and the book that an order's ref names."""

    session: int
    book: str


def order_ref(session: int, book: str, symbol: str, bar: int) -> str:
    """Return the ref of the order that `book` makes in `symbol` at `bar`: a bar makes at most one."""
    return f"{session}.{book}.{symbol}.{bar}.1"


def kill_ref(owner: Owner, symbol: str, n: int) -> str:
    """Return the ref of the `n`-th order with which a kill closes the position of a book in `symbol`."""
    return f"{owner.session}.{owner.book}.{symbol}.{KILL}.{n}"


def kill_number(ref: str) -> int:
    """Return which order of a kill `ref` names, 0 where it names none of a kill's."""
    _, _, rest = ref.rpartition(f".{KILL}.")
    return int(rest) if rest.isascii() and rest.isdigit() and ref != rest else 0


def owner_of(ref: str, symbol: str) -> Owner | None:
    """Return whose order in `symbol` the ref names, a stop's and a kill's too; None for one that is not of our form."""
    session, _, rest = ref.removesuffix(STOP_SUFFIX).partition(".")
    book, _, rest = rest.partition(".")
    ours = session.isascii() and session.isdigit() and book and rest.startswith(f"{symbol}.")
    if not ours or rest.removeprefix(f"{symbol}.").count(".") != 1:
        return None
    return Owner(int(session), book)


def oca_group(book: str, symbol: str) -> str:
    """Return the group in which the orders of `book` against its position in `symbol` reduce each other."""
    return f"{book}/{symbol}"


def without_session(ref: str) -> str:
    """Return an order ref without its session number, as decisions name it: two sessions on one data set must agree."""
    return ref.partition(".")[2]
