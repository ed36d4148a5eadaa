"""Be the order path without an engine: bare Ray actors with the same fan-out, join, durable inserts and socket writes.

The feed's message goes to six actors, to the one that joins, and as a few bytes to a venue's socket. Each of the six
sends one message on; the venue's bytes come back by the gateway's socket, which sends one message on too. The actor
that joins waits for all eight, inserts one row, for what is decided must be on record before an order goes out, and
tells the gateway, which inserts one row and writes to the socket; then the next round begins. What a round takes is
what Ray, the disk and the kernel cost by themselves, with the options that cost least. Rounds may be paced, as bars
are.
"""

from __future__ import annotations

import pickle
import socket
import sqlite3
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from supervisor.ray_runtime import RayRuntime

ROW = "x" * 200
"""As many bytes as an order's text in the gateway's database."""
ORDER = b"o" * 200
BAR = b"b" * 200
AWAITED = 8
"""What is joined: six signals, the bar and the venue's word that it moved on."""
_LONGEST_S = 300.0


class Hop:
    """Be one actor; which part it plays is told by `link`."""

    def link(self, role: str, others: list[Any], folder: str, pace_s: float) -> None:
        """Take a role: feed, strategy, join or gateway, and whom to send to; the gateway posts to the join as well."""
        self._role, self._pace_ns = role, int(pace_s * 1e9)
        self._due_ns = 0
        self._posts = [other.receive.remote for other in others]
        self._heard: dict[int, int] = {}
        self._times: list[int] = []
        if role in ("join", "gateway"):
            self._database = sqlite3.connect(
                Path(folder) / f"{role}.db", isolation_level=None, check_same_thread=False
            )
            for setting in ("journal_mode=WAL", "synchronous=FULL"):
                self._database.execute(f"PRAGMA {setting}")
            self._database.execute("CREATE TABLE one (id INTEGER PRIMARY KEY, text TEXT)")
        if role in ("feed", "gateway"):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.connect(str(Path(folder) / "venue"))
            self._socket.sendall(role[:1].encode())
        if role == "gateway":
            join = self._posts.pop()
            threading.Thread(target=self._hear_venue, args=(join,), daemon=True).start()

    def receive(self, payload: bytes) -> None:
        """Do this actor's part of a round."""
        number, begun, rest = pickle.loads(payload)
        match self._role:
            case "feed":
                begun = self._next_round()
            case "join":
                heard = self._heard.get(number, 0) + 1
                self._heard[number] = heard
                if begun:
                    self._round = begun, rest
                if heard < AWAITED:
                    return
                del self._heard[number]
                begun, rest = self._round
                self._keep()
            case "gateway":
                self._keep()
                self._socket.sendall(ORDER)
                self._times.append(time.perf_counter_ns() - begun)
                if number + 1 >= rest:
                    return
                number += 1
            case _:
                pass
        message = pickle.dumps((number, begun, rest), protocol=pickle.HIGHEST_PROTOCOL)
        for post in self._posts:
            post(message)
        if self._role == "feed":
            self._socket.sendall(BAR)

    def times(self) -> list[int]:
        """Return the nanoseconds of each round so far."""
        return list(self._times)

    def _next_round(self) -> int:
        """Wait until the round is due and return when it begins."""
        time.sleep(max(0, self._due_ns - time.perf_counter_ns()) / 1e9)
        begun = time.perf_counter_ns()
        self._due_ns = begun + self._pace_ns
        return begun

    def _keep(self) -> None:
        self._database.execute("INSERT INTO one (text) VALUES (?)", (ROW,))

    def _hear_venue(self, join: Any) -> None:
        number, left = 0, len(BAR)
        while data := self._socket.recv(left):
            left -= len(data)
            if left == 0:
                join(pickle.dumps((number, 0, 0), protocol=pickle.HIGHEST_PROTOCOL))
                number, left = number + 1, len(BAR)


def round_times(rounds: int, pace_s: float) -> list[int]:
    """Run the skeleton in a Ray of its own, rounds `pace_s` apart at least, and return the nanoseconds of each."""
    with TemporaryDirectory(prefix="breakwater-bench-") as name, RayRuntime(Path(name)):
        import ray

        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(Path(name) / "venue"))
        listener.listen(2)
        threading.Thread(target=_pass_on, args=(listener,), daemon=True).start()
        ray.method(num_returns=0)(Hop.receive)
        actor = ray.remote(Hop)
        made: list[Any] = [
            actor.options(num_cpus=0, max_restarts=0, max_task_retries=0, enable_task_events=False).remote()
            for _ in range(9)
        ]
        feed, join, gateway, *strategies = made
        parts = [
            ("feed", feed, [*strategies, join]),
            ("join", join, [gateway]),
            ("gateway", gateway, [feed, join]),
        ]
        parts += [("strategy", strategy, [join]) for strategy in strategies]
        ray.get([each.link.remote(role, others, name, pace_s) for role, each, others in parts])
        feed.receive.remote(pickle.dumps((0, 0, rounds)))
        times = _await(ray, gateway, rounds)
        for each in made:
            ray.kill(each)
        listener.close()
    return times


def _await(ray: Any, gateway: Any, rounds: int) -> list[int]:
    until = time.monotonic() + _LONGEST_S
    while True:
        time.sleep(0.5)
        times: list[int] = ray.get(gateway.times.remote())
        if len(times) >= rounds:
            return times
        if time.monotonic() > until:
            raise TimeoutError(f"the skeleton made {len(times)} of {rounds} rounds in {_LONGEST_S:g} s")


def _pass_on(listener: socket.socket) -> None:
    """Be the venue: tell the gateway of each bar that the feed's socket brings, and swallow its orders."""
    ends: dict[bytes, socket.socket] = {}
    while len(ends) < 2:
        connection, _ = listener.accept()
        ends[connection.recv(1)] = connection
    feed, gateway = ends[b"f"], ends[b"g"]
    threading.Thread(target=_swallow, args=(gateway,), daemon=True).start()
    with feed:
        while data := feed.recv(65_536):
            gateway.sendall(data)


def _swallow(connection: socket.socket) -> None:
    with connection:
        while connection.recv(65_536):
            pass
