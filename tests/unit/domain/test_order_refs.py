from __future__ import annotations

import pytest

from domain.order_refs import Owner, kill_number, kill_ref, order_ref, owner_of


@pytest.mark.parametrize(
    ("ref", "symbol", "owner", "number"),
    [
        (order_ref(3, "main", "AAPL", 17), "AAPL", Owner(3, "main"), 0),
        (order_ref(3, "main", "BRK.B", 17), "BRK.B", Owner(3, "main"), 0),
        (order_ref(3, "main", "AAPL", 17) + ".stop", "AAPL", Owner(3, "main"), 0),
        (kill_ref(Owner(3, "main"), "BRK.B", 12), "BRK.B", Owner(3, "main"), 12),
        (order_ref(3, "main", "kill", 17), "kill", Owner(3, "main"), 0),
        (kill_ref(Owner(3, "main"), "kill", 2), "kill", Owner(3, "main"), 2),
        ("3.main.AAPL.17.1", "KO", None, 0),
        ("3.main.AAPL.17", "AAPL", None, 0),
        ("3.main.AAPL.17.1.2", "AAPL", None, 0),
        ("x.main.AAPL.17.1", "AAPL", None, 0),
        ("3..AAPL.17.1", "AAPL", None, 0),
        ("3.main.AAPL.kill.x", "AAPL", Owner(3, "main"), 0),
        ("3.main.AAPL.kill.", "AAPL", Owner(3, "main"), 0),
        ("someone's", "AAPL", None, 0),
        ("", "AAPL", None, 0),
    ],
)
def test_a_ref_names_its_book_and_says_whether_it_is_a_kills(
    ref: str, symbol: str, owner: Owner | None, number: int
) -> None:
    assert (owner_of(ref, symbol), kill_number(ref)) == (owner, number)
