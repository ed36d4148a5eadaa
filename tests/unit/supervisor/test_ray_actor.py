"""What each actor process does with messages, without Ray round it."""

from __future__ import annotations

import gc
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

from domain.messages import COORDINATOR, BarSettled, RoleFailed
from supervisor.child_spec import ChildSpec
from supervisor.ray_actor import HandleRouter, RoleHost


def handle(post: Any) -> SimpleNamespace:
    """Return what looks like an actor handle whose lanes both are `post`."""
    method = SimpleNamespace(remote=post)
    return SimpleNamespace(receive=method, receive_control=method)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[RoleHost]:
    """Return a host; what starting it changes of the interpreter is put back."""
    path, interval = list(sys.path), sys.getswitchinterval()
    made = RoleHost()
    yield made
    made.stop(10.0)
    sys.path[:] = path
    sys.setswitchinterval(interval)
    gc.unfreeze()


def start(host: RoleHost, folder: Path) -> None:
    host.start(ChildSpec(role="a", factory="tests.actor.probes:probe"), str(folder))


def test_message_posted_in_the_middle_of_another_is_not_sent_in_its_place() -> None:
    """A role's thread and Ray's receiving one, which reports what was refused, post through the same router."""
    router, got = HandleRouter(), dict[str, set[int]](own=set(), other=set())

    def receiver(role: str) -> Any:
        return handle(lambda payload: got[role].add(pickle.loads(payload).bar))

    def interrupt(frame: FrameType, event: str, argument: Any) -> Any:
        """Post another message before each line of the router, as a second thread might."""
        if frame.f_code is not HandleRouter.__call__.__code__:
            return None
        if event == "line":
            router("other", BarSettled(bar=2), False)
        return interrupt

    router.connect({role: receiver(role) for role in got})
    traced = sys.gettrace()
    sys.settrace(interrupt)
    try:
        router("own", BarSettled(bar=1), False)
    finally:
        sys.settrace(traced)
    assert got == {"own": {1}, "other": {2}}


def test_message_is_pickled_once_for_roles_in_a_row() -> None:
    router, payloads = HandleRouter(), list[bytes]()
    router.connect({role: handle(lambda payload: payloads.append(payload)) for role in ("a", "b")})
    message = BarSettled(bar=1)
    router("a", message, False)
    router("b", message, False)
    assert payloads[0] is payloads[1]


def test_each_lane_has_a_method_of_its_own() -> None:
    """Ray makes more of a second argument than of all else about a small message."""
    router, posted = HandleRouter(), list[str]()
    lanes = {
        name: SimpleNamespace(remote=lambda _, name=name: posted.append(name))
        for name in ("receive", "receive_control")
    }
    router.connect({"a": SimpleNamespace(**lanes)})
    for control in (False, True):
        router("a", BarSettled(bar=1), control)
    assert posted == ["receive", "receive_control"]


def test_message_that_cannot_be_read_is_reported(host: RoleHost, tmp_path: Path) -> None:
    """Nobody waits for an answer that could raise."""
    reported: list[RoleFailed] = []
    start(host, tmp_path)
    host.connect({COORDINATOR: handle(lambda payload: reported.append(pickle.loads(payload)))})
    host.receive(b"no pickle")
    assert [(failed.role, failed.fatal) for failed in reported] == [("a", True)]
    assert "9 bytes cannot be read" in reported[0].error


def test_message_before_the_start_is_reported_once_the_coordinator_is_known(
    host: RoleHost, tmp_path: Path
) -> None:
    reported: list[RoleFailed] = []
    host.receive(pickle.dumps(BarSettled(bar=1)))
    start(host, tmp_path)
    for _ in range(2):
        host.connect({COORDINATOR: handle(lambda payload: reported.append(pickle.loads(payload)))})
    assert ["before the role was started" in failed.error for failed in reported] == [True]
