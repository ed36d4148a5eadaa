"""A session that died between any two messages goes on as if it had not (reliability: I1 to I3; B3)."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from actors.clock import SystemClock
from cli.inline_engine import InlineEngine
from cli.opening import RunRequest, open_session
from domain.messages import OrdersApproved
from tests.scenario.bars import thin_market
from tests.scenario.books import assert_booked_once, lost_on_the_way
from tests.scenario.engine import differences, request, session
from tests.scenario.settings import tight
from tests.sizes import prove_size

CRASHES = prove_size(8, 400)
Moment = Callable[[InlineEngine], bool]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> RunRequest:
    folder = tmp_path_factory.mktemp("crash")
    return request(thin_market(folder / "bars.csv"), folder / "state", config=tight(folder / "config"))


@pytest.fixture(scope="module")
def reference(asked: RunRequest) -> dict[str, Any]:
    return session(asked)


def after(messages: int) -> Moment:
    """Return the moment at which `messages` messages were delivered."""
    left = count(messages, -1)
    return lambda engine: next(left) <= 0


def before_orders_arrive(which: int) -> Moment:
    """Return the moment at which the `which`-th decision with orders in it is on its way to the gateway."""
    seen: list[int] = []

    def reached(engine: InlineEngine) -> bool:
        for _, message in engine._runtime._normal:
            if isinstance(message, OrdersApproved) and message.approvals and message.bar not in seen:
                seen.append(message.bar)
        return len(seen) >= which

    return reached


def crash(asked: RunRequest, moment: Moment) -> None:
    """Run until `moment` in a process of its own, commit what came to be decided, and die."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            with open_session(asked, dict(os.environ), SystemClock()) as opened:
                engine = InlineEngine(opened.plan)
                reached = engine._runtime.run(lambda: engine._ended() or moment(engine), most=1_000_000)
                code = 0 if reached and not engine._ended() else 2
                engine._group.commit()
                os._exit(code)
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, "1: it failed; 2: it ended before the crash"


@pytest.mark.parametrize("seed", range(CRASHES))
def test_session_that_crashed_equals_one_that_did_not(
    seed: int, asked: RunRequest, reference: dict[str, Any], tmp_path: Path
) -> None:
    """It does unless an order was caught on its way."""
    rng = random.Random(seed)
    again = replace(asked, state=tmp_path / "state")
    for _ in range(rng.randint(1, 3)):
        crash(again, after(rng.randrange(100, 800)))
    last = session(again)
    assert last["completed"]
    assert_booked_once(again.state)
    # An order that was committed and never sent is given up by name: the days after it are others.
    if not lost_on_the_way(last):
        assert differences(reference, last) == {}


@pytest.mark.parametrize("which", [1, 2, 7])
def test_orders_lost_on_their_way_are_decided_again_the_same_and_once(
    which: int, asked: RunRequest, reference: dict[str, Any], tmp_path: Path
) -> None:
    """The snapshot of a bar is durable, its orders never reached the gateway: the bar is published again."""
    again = replace(asked, state=tmp_path / "state")
    crash(again, before_orders_arrive(which))
    crash(again, before_orders_arrive(1))  # and the second decision of it is lost as well
    assert differences(reference, session(again)) == {}
