"""The control socket: whatever comes over it, only whole requests of the engine's own user reach the coordinator."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.mailbox import LaneMailbox
from domain.commands import Command, Verb
from domain.errors import Busy, CommandRefused, EnvironmentFault, NotRunning
from storage.files import FileLock
from storage.state_lock import LOCK
from supervisor.control_client import ControlClient
from supervisor.control_peers import Limits
from supervisor.control_server import ControlServer
from supervisor.control_wire import (
    ADDRESS,
    LONGEST_LINE,
    SHORT_PREFIX,
    SOCKET,
    read_address,
    read_request,
    write_line,
)
from tests.fakes.ports import FakeLog

QUICK = Limits(connections=4, read_s=0.3, idle_s=0.6, answer_s=0.5, write_s=0.4)


class Coordinator:
    """Take commands from a real mailbox and answer each as `reply` says, on a thread as a shell would."""

    def __init__(self, state_dir: Path, limits: Limits, *, control_capacity: int = 1_000) -> None:
        self.log = FakeLog()
        self.server = ControlServer(state_dir, self.log, limits=limits)
        self.mailbox = LaneMailbox("coordinator", control_capacity=control_capacity)
        self.taken: list[Command] = []
        self.reply: Callable[[Command], Any] = lambda command: {"ok": True, "verb": command.verb.value}
        self.server.open(self.mailbox)
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.server.close()
        self.mailbox.close()

    def _work(self) -> None:
        while not self.mailbox.closed:
            command = self.mailbox.take(0.1)
            if isinstance(command, Command):
                self.taken.append(command)
                body = self.reply(command)
                if body is not None:
                    self.server.answer(command.request_id, body)


@pytest.fixture
def coordinator(tmp_path: Path) -> Iterator[Coordinator]:
    """Return a coordinator that answers at once, and is quick to lose patience."""
    made = Coordinator(tmp_path, QUICK)
    made.start()
    yield made
    made.close()


def ask(state_dir: Path, verb: Verb = Verb.STATUS, deadline_s: float = 3.0, **others: Any) -> dict[str, Any]:
    return ControlClient(state_dir, deadline_s).ask(verb, **others)


def raw(state_dir: Path) -> socket.socket:
    address = read_address(state_dir)
    assert address is not None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(3.0)
    connection.connect(address.path)
    return connection


def request(state_dir: Path, **others: Any) -> dict[str, Any]:
    address = read_address(state_dir)
    assert address is not None
    plain = {
        "token": address.token,
        "verb": "status",
        "arguments": {},
        "key": "",
        "reason": "",
        "mode": "",
        "name": "",
        "until_s": time.monotonic() + 3.0,
    }
    return {**plain, **others}


def received(connection: socket.socket) -> dict[str, Any]:
    """Return the answer on a connection; {} where it ended without one."""
    content = b""
    try:
        while not content.endswith(b"\n"):
            chunk = connection.recv(65_536)
            if not chunk:
                return {}
            content += chunk
    except ConnectionResetError:
        return {}
    answer: dict[str, Any] = json.loads(content)
    return answer


def _sent(connection: socket.socket, chunks: list[bytes], *, pause_s: float) -> bool:
    """Return whether all could be sent before the other end closed."""
    try:
        for chunk in chunks:
            connection.sendall(chunk)
            time.sleep(pause_s)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def test_a_command_arrives_with_who_asked_and_its_answer_comes_back(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    body = ask(
        tmp_path,
        Verb.HALT,
        arguments={"scope": "book:main"},
        reason="storm",
        mode="LIVE",
        key="k",
        name="ann",
    )
    assert body == {"ok": True, "verb": "halt"}
    (command,) = coordinator.taken
    assert (command.verb, command.arguments, command.reason, command.mode, command.key) == (
        Verb.HALT,
        {"scope": "book:main"},
        "storm",
        "LIVE",
        "k",
    )
    assert command.who.endswith(f"(process {os.getpid()}) as ann")
    assert abs(command.at_ns - time.time_ns()) < 5e9


def test_several_requests_go_over_one_connection_also_when_they_come_at_once(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    with raw(tmp_path) as connection:
        connection.sendall(write_line(request(tmp_path)) * 5)
        with connection.makefile("rb") as file:
            assert [json.loads(file.readline())["ok"] for _ in range(5)] == [True] * 5
    assert len(coordinator.taken) == 5


def test_only_the_owner_can_read_the_token_or_reach_the_socket(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    address = read_address(tmp_path)
    assert address is not None
    for path in (tmp_path / ADDRESS, Path(address.path)):
        assert path.stat().st_mode & 0o077 == 0
    assert len(address.token) == 64


def test_a_copy_of_the_directory_reaches_no_engine(coordinator: Coordinator, tmp_path: Path) -> None:
    """A halt or a resume of the copy would meet the original's engine."""
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(tmp_path / ADDRESS, copy / ADDRESS)
    with pytest.raises(NotRunning):
        ask(copy)
    later = Coordinator(copy, QUICK)  # and does not clear its socket away
    later.close()
    assert ask(tmp_path)["ok"]
    assert coordinator.taken


@pytest.mark.parametrize("token", ["", "0" * 64, "é" * 32])
def test_a_wrong_token_is_refused_and_the_connection_ended(
    coordinator: Coordinator, tmp_path: Path, token: str
) -> None:
    with raw(tmp_path) as connection:
        connection.sendall(write_line(request(tmp_path, token=token, verb="halt", reason="x", key="k")))
        assert received(connection)["error"] == "token"
        assert received(connection) == {}
    assert coordinator.taken == []


def test_another_user_is_refused(
    coordinator: Coordinator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.control_server.may_command", lambda uid: uid != os.getuid())
    with pytest.raises(CommandRefused, match="another user"):
        ask(tmp_path)
    assert coordinator.taken == []


ILL = [
    b"halt\n",
    b"{}\n",
    b"[]\n",
    b"null\n",
    b"\xff\xfe\n",
    b'{"token": NaN}\n',
    b"[" * 50_000 + b"\n",
    b"1" * 50_000 + b"\n",
    b"\n",
]


@pytest.mark.parametrize("line", ILL, ids=range(len(ILL)))
def test_what_is_no_request_is_said_so_and_the_next_asker_is_served(
    coordinator: Coordinator, tmp_path: Path, line: bytes
) -> None:
    with raw(tmp_path) as connection:
        connection.sendall(line)
        assert received(connection)["error"] == "malformed"
    assert ask(tmp_path)["ok"]
    assert len(coordinator.taken) == 1


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_request_that_is_too_long_is_refused(coordinator: Coordinator, tmp_path: Path, end: bytes) -> None:
    with raw(tmp_path) as connection:
        connection.sendall(b"x" * (LONGEST_LINE + 1) + end)
        answer = received(connection)
    assert "a request may have 65,536 bytes" in answer["detail"]
    assert ask(tmp_path)["ok"]


def test_who_sends_without_end_while_he_waits_is_cut_off(tmp_path: Path) -> None:
    coordinator = Coordinator(tmp_path, QUICK)  # answers nobody
    try:
        with raw(tmp_path) as connection:
            connection.sendall(write_line(request(tmp_path)))
            assert not _sent(connection, [b"x" * 10_000] * 1_000, pause_s=0.0)
    finally:
        coordinator.close()


def test_a_slow_asker_is_dropped_however_busily_he_trickles(coordinator: Coordinator, tmp_path: Path) -> None:
    line = write_line(request(tmp_path))
    begun = time.monotonic()
    with raw(tmp_path) as connection:
        assert not _sent(connection, [bytes([byte]) for byte in line], pause_s=0.05)
        assert time.monotonic() - begun < 3.0
    assert coordinator.taken == []
    assert ask(tmp_path)["ok"]


def test_an_idle_connection_ends(coordinator: Coordinator, tmp_path: Path) -> None:
    with raw(tmp_path) as connection:
        assert connection.recv(1) == b""


def test_who_does_not_take_his_answer_is_dropped(coordinator: Coordinator, tmp_path: Path) -> None:
    coordinator.reply = lambda command: {"ok": True, "text": "x" * 8_000_000}
    with raw(tmp_path) as connection:
        connection.sendall(write_line(request(tmp_path)))
        time.sleep(1.5)
        assert ask(tmp_path, deadline_s=10.0)["ok"]
        assert received(connection) == {}


def test_who_goes_away_is_forgotten_but_what_he_asked_is_done(
    coordinator: Coordinator, tmp_path: Path
) -> None:

    def reply(command: Command) -> dict[str, Any]:
        time.sleep(0.1)
        return {"ok": True}

    coordinator.reply = reply
    for _ in range(20):
        with raw(tmp_path) as connection:
            connection.sendall(write_line(request(tmp_path, verb="halt", reason="x", key="k")))
    assert ask(tmp_path, deadline_s=10.0)["ok"]
    assert [command.verb for command in coordinator.taken].count(Verb.HALT) >= 4
    assert not [event for event in coordinator.log.events if event[0] == "error"]


def test_two_hundred_askers_at_once_are_each_answered_or_told_that_it_is_busy(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    outcomes: list[str] = []

    def one() -> None:
        try:
            outcomes.append("ok" if ask(tmp_path, deadline_s=20.0)["ok"] else "refused")
        except Busy:
            outcomes.append("busy")

    threads = [threading.Thread(target=one) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("ok") + outcomes.count("busy") == 200
    assert outcomes.count("ok") >= 10  # how many more depends on the machine, which may have other work
    assert ask(tmp_path)["ok"]


def test_a_silent_crowd_keeps_no_command_out(coordinator: Coordinator, tmp_path: Path) -> None:
    held = [raw(tmp_path) for _ in range(2 * QUICK.connections)]
    try:
        assert ask(tmp_path)["ok"]
    finally:
        for connection in held:
            connection.close()


def test_connections_beyond_the_bound_are_told_so_at_once(coordinator: Coordinator, tmp_path: Path) -> None:
    held = [raw(tmp_path) for _ in range(QUICK.connections)]
    try:
        for connection in held:
            connection.sendall(b"{")  # all of them are about to ask
        time.sleep(0.1)
        with raw(tmp_path) as one_more:
            assert received(one_more)["error"] == "busy"
        with pytest.raises(Busy):
            ask(tmp_path, deadline_s=0.2)
    finally:
        for connection in held:
            connection.close()
    assert ask(tmp_path)["ok"]


def test_a_full_mailbox_is_told_as_busy(tmp_path: Path) -> None:
    coordinator = Coordinator(tmp_path, QUICK, control_capacity=1)
    try:
        with raw(tmp_path) as first, raw(tmp_path) as second:
            first.sendall(write_line(request(tmp_path)))
            time.sleep(0.1)
            second.sendall(write_line(request(tmp_path)))
            assert received(second)["error"] == "busy"
    finally:
        coordinator.close()


def test_a_coordinator_that_does_not_answer_is_told_as_busy_and_its_late_answer_dropped(
    tmp_path: Path,
) -> None:
    coordinator = Coordinator(tmp_path, QUICK)
    try:
        with pytest.raises(Busy):
            ask(tmp_path, deadline_s=0.2)
        with raw(tmp_path) as connection:
            connection.sendall(write_line(request(tmp_path)))
            assert received(connection)["error"] == "busy"
        for number in range(1, 5):
            coordinator.server.answer(number, {"ok": True})
        coordinator.start()
        assert ask(tmp_path)["ok"]
    finally:
        coordinator.close()


@pytest.mark.parametrize(
    ("verb", "taken"),
    [("resume", False), ("agent_start", False), ("halt", True), ("reduce", True), ("flatten", True)],
)
def test_what_comes_too_late_is_done_only_where_it_makes_the_engine_do_less(
    coordinator: Coordinator, tmp_path: Path, verb: str, taken: bool
) -> None:
    """A process that was stopped finds it in its socket once it goes on: a stale resume must not trade."""
    late = request(tmp_path, verb=verb, reason="x", key="k", until_s=time.monotonic() - 1.0)
    with raw(tmp_path) as connection:
        connection.sendall(write_line(late))
        assert received(connection).get("error", "") == ("" if taken else "late")
    assert bool(coordinator.taken) is taken


@pytest.mark.parametrize(
    "body",
    [
        {"ok": True, "x": float("nan"), "y": [float("inf")]},
        {"ok": True, "x": {1, 2}, "path": Path("a")},
        {"ok": True, "x": "\ud800"},
    ],
    ids=["nan", "no JSON", "surrogate"],
)
def test_no_answer_can_harm_the_coordinator(
    coordinator: Coordinator, tmp_path: Path, body: dict[str, Any]
) -> None:
    coordinator.reply = lambda command: body
    assert ask(tmp_path)["ok"]


def test_an_answer_that_cannot_be_told_is_said_so(coordinator: Coordinator, tmp_path: Path) -> None:
    endless: dict[str, Any] = {}
    endless["self"] = endless
    coordinator.reply = lambda command: endless
    with pytest.raises(CommandRefused, match="could not be told"):
        ask(tmp_path)


def test_where_nobody_listens_it_is_not_running(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="no engine runs on"):
        ask(tmp_path)
    coordinator = Coordinator(tmp_path, QUICK)
    address = (tmp_path / ADDRESS).read_bytes()
    coordinator.close()
    assert not (tmp_path / ADDRESS).exists()
    assert not (tmp_path / SOCKET).exists()
    (tmp_path / ADDRESS).write_bytes(address)  # as a killed engine leaves it
    with pytest.raises(NotRunning):
        ask(tmp_path)
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(str(tmp_path / SOCKET))
    dead.close()
    with pytest.raises(NotRunning):
        ask(tmp_path)


def test_who_waits_when_the_engine_ends_is_told_so(tmp_path: Path) -> None:
    coordinator = Coordinator(tmp_path, QUICK)
    found: list[dict[str, Any]] = []
    with raw(tmp_path) as connection:
        connection.sendall(write_line(request(tmp_path)))
        time.sleep(0.1)
        coordinator.close()
        found.append(received(connection))
    assert found[0]["error"] == "ending"


def test_a_later_engine_takes_the_place_of_a_killed_one_and_keeps_it(tmp_path: Path) -> None:
    killed = Coordinator(tmp_path, QUICK)
    later = Coordinator(tmp_path, QUICK)
    later.start()
    try:
        killed.close()
        assert ask(tmp_path)["ok"]
    finally:
        later.close()


def test_a_state_directory_of_a_long_name_gets_a_short_socket_that_goes_with_it(tmp_path: Path) -> None:
    """A Unix socket's path may have 107 bytes, 103 on macOS."""
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    coordinator = Coordinator(deep, QUICK)
    coordinator.start()
    try:
        address = read_address(deep)
        assert address is not None
        assert Path(address.path).parent.name.startswith(SHORT_PREFIX)
        assert Path(address.path).parent.stat().st_mode & 0o077 == 0
        assert ask(deep)["ok"]
        later = Coordinator(deep, QUICK)  # as after a kill: what the former left is cleared away
        assert not Path(address.path).exists()
        later.close()
    finally:
        coordinator.close()
    assert not Path(address.path).parent.exists()


def test_a_place_that_cannot_be_written_is_an_environment_fault(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be opened"):
        ControlServer(tmp_path / "absent", FakeLog()).open(LaneMailbox("coordinator"))


# --- what goes over the wire ------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = ("token", "verb", "arguments", "key", "reason", "mode", "name", "until_s")


@given(st.binary(max_size=400) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_line_raises_anything_but_a_refusal(line: bytes) -> None:
    with pytest.raises((ValueError, UnicodeError)):
        read_request(line)


@given(st.fixed_dictionaries(dict.fromkeys(FIELDS, JSON)), st.sets(st.sampled_from(FIELDS)))
def test_a_request_is_taken_whole_and_right_or_not_at_all(values: dict[str, Any], right: set[str]) -> None:
    good = {
        "token": "t",
        "verb": "halt",
        "arguments": {"scope": "book:main"},
        "key": "k",
        "reason": "storm",
        "mode": "LIVE",
        "name": "ann",
        "until_s": 1.5,
    }
    line = json.dumps({name: good[name] if name in right else values[name] for name in FIELDS}).encode()
    try:
        taken = read_request(line)
    except (ValueError, UnicodeError):
        assert right != set(FIELDS)
        return
    texts = (taken.token, taken.key, taken.reason, taken.mode, taken.name)
    assert all(isinstance(text, str) and (text.isprintable()) for text in texts)
    json.dumps(taken.arguments, ensure_ascii=False).encode("utf-8")
    assert isinstance(taken.arguments, dict)
    assert taken.verb in Verb


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=4), st.booleans())
def test_bytes_without_sense_never_reach_the_coordinator_nor_stop_the_socket(
    coordinator: Coordinator, tmp_path: Path, chunks: list[bytes], well: bool
) -> None:
    before = len(coordinator.taken)
    with raw(tmp_path) as connection:
        _sent(connection, chunks, pause_s=0.0)
        if well:
            connection.close()
    assert ask(tmp_path)["ok"]
    assert len(coordinator.taken) == before + 1
    assert not [event for event in coordinator.log.events if event[0] == "error"]


# --- an engine whose coordinator is away ------------------------------------------------------------------------------


@pytest.fixture
def held(tmp_path: Path) -> Iterator[None]:
    """Hold the state directory's lock as `run` does, while nobody listens."""
    lock = FileLock(tmp_path / LOCK)
    assert lock.take("process 7") is None
    yield
    lock.release()


def _left_behind(state_dir: Path) -> None:
    """Leave what a killed coordinator leaves: an address at which nobody listens."""
    killed = Coordinator(state_dir, QUICK)
    address = (state_dir / ADDRESS).read_bytes()
    killed.close()
    (state_dir / ADDRESS).write_bytes(address)
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(str(state_dir / SOCKET))
    dead.close()


@pytest.mark.parametrize("killed", [False, True], ids=["starting", "killed"])
def test_an_engine_whose_coordinator_is_away_is_busy_and_not_gone(
    tmp_path: Path, held: None, killed: bool
) -> None:
    if killed:
        _left_behind(tmp_path)
    begun = time.monotonic()
    with pytest.raises(Busy, match=r"its coordinator is being restarted; try again"):
        ask(tmp_path, deadline_s=0.3)
    assert 0.2 < time.monotonic() - begun < 1.0
    with pytest.raises(Busy, match=r"its coordinator is being restarted$"):
        ask(tmp_path, deadline_s=30.0, at_once=True)
    assert time.monotonic() - begun < 2.0


def test_a_coordinator_that_comes_back_hears_who_waits_for_it(tmp_path: Path, held: None) -> None:
    """With its new token, though the asker began with the old one."""
    _left_behind(tmp_path)
    back: list[Coordinator] = []

    def come_back() -> None:
        time.sleep(0.3)
        back.append(Coordinator(tmp_path, QUICK))
        back[0].start()

    returning = threading.Thread(target=come_back)
    returning.start()
    try:
        assert ask(tmp_path)["ok"]
    finally:
        returning.join()
        back[0].close()


def test_an_engine_that_ends_while_somebody_waits_is_not_running(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / LOCK)
    assert lock.take("process 7") is None
    end = threading.Timer(0.3, lock.release)
    end.start()
    with pytest.raises(NotRunning, match="no engine runs on"):
        ask(tmp_path)
    end.join()
