"""What each actor process does with messages, without Ray round it."""

from __future__ import annotations

import pickle
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from domain.messages import COORDINATOR, BarSettled, RoleFailed
from supervisor.child_spec import ChildSpec
from supervisor.ray_actor import HandleRouter, RoleHost


def handle(post: Any) -> SimpleNamespace:
    """Return what looks like an actor handle whose `receive` is `post`."""
    return SimpleNamespace(receive=SimpleNamespace(remote=post))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[RoleHost]:
    """Return a host; what starting it changes of the interpreter is put back."""
    path, interval = list(sys.path), sys.getswitchinterval()
    made = RoleHost()
    yield made
    made.stop(10.0)
    sys.path[:] = path
    sys.setswitchinterval(interval)


def start(host: RoleHost, folder: Path) -> None:
    host.start(ChildSpec(role="a", factory="tests.actor.probes:probe"), str(folder))


def test_two_threads_never_post_each_others_messages() -> None:
    """A role's thread and Ray's receiving one, which reports what was refused, post through the same router."""
    router = HandleRouter()
    mixed: list[tuple[str, int]] = []

    def receiver(role: str, parity: int) -> Any:
        def post(payload: bytes, control: bool) -> None:
            bar = pickle.loads(payload).bar
            if bar % 2 != parity:
                mixed.append((role, bar))

        return handle(post)

    router.connect({"even": receiver("even", 0), "odd": receiver("odd", 1)})

    def send(role: str, first: int) -> None:
        for bar in range(first, 6_000, 2):
            router(role, BarSettled(bar=bar), False)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=send, args=each) for each in (("even", 0), ("odd", 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert mixed == []


def test_message_is_pickled_once_for_roles_in_a_row() -> None:
    router, payloads = HandleRouter(), list[bytes]()
    router.connect({role: handle(lambda payload, control: payloads.append(payload)) for role in ("a", "b")})
    message = BarSettled(bar=1)
    router("a", message, False)
    router("b", message, False)
    assert payloads[0] is payloads[1]


def test_message_that_cannot_be_read_is_reported(host: RoleHost, tmp_path: Path) -> None:
    """Nobody waits for an answer that could raise."""
    reported: list[RoleFailed] = []
    start(host, tmp_path)
    host.connect({COORDINATOR: handle(lambda payload, control: reported.append(pickle.loads(payload)))})
    host.receive(b"no pickle", False)
    assert [(failed.role, failed.fatal) for failed in reported] == [("a", True)]
    assert "9 bytes cannot be read" in reported[0].error


def test_message_before_the_start_is_reported_once_the_coordinator_is_known(
    host: RoleHost, tmp_path: Path
) -> None:
    reported: list[RoleFailed] = []
    host.receive(pickle.dumps(BarSettled(bar=1)), False)
    start(host, tmp_path)
    for _ in range(2):
        host.connect({COORDINATOR: handle(lambda payload, control: reported.append(pickle.loads(payload)))})
    assert ["before the role was started" in failed.error for failed in reported] == [True]
