"""Be the order path without an engine: bare Ray actors with the same fan-out, join, durable insert and socket write.

One message goes to six actors, each sends one on, a seventh joins the six, an eighth inserts one row, durable when the
call returns, and writes to a socket; then the next round begins. What a round takes is what Ray, the disk and the
kernel cost by themselves, with the options that cost least.
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
_LONGEST_S = 120.0


class Hop:
    """Be one actor; which part it plays is told by `link`."""

    def link(self, role: str, others: list[Any], folder: str) -> None:
        """Take a role: feed, strategy, join or gateway, and whom to send to."""
        self._role, self._folder = role, folder
        self._posts = [other.receive.remote for other in others]
        self._begun: dict[int, int] = {}
        self._heard: dict[int, int] = {}
        self._times: list[int] = []
        if role == "gateway":
            self._database = sqlite3.connect(
                Path(folder) / "skeleton.db", isolation_level=None, check_same_thread=False
            )
            for setting in ("journal_mode=WAL", "synchronous=FULL"):
                self._database.execute(f"PRAGMA {setting}")
            self._database.execute("CREATE TABLE one (id INTEGER PRIMARY KEY, text TEXT)")
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.connect(str(Path(folder) / "venue"))

    def receive(self, payload: bytes) -> None:
        """Do this actor's part of a round."""
        number, begun, rest = pickle.loads(payload)
        match self._role:
            case "feed":
                begun = time.perf_counter_ns()
            case "join":
                self._heard[number] = self._heard.get(number, 0) + 1
                if self._heard[number] < 6:
                    return
                del self._heard[number]
            case "gateway":
                self._database.execute("INSERT INTO one (text) VALUES (?)", (ROW,))
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

    def times(self) -> list[int]:
        """Return the nanoseconds of each round so far."""
        return list(self._times)


def round_times(rounds: int) -> list[int]:
    """Run the skeleton in a Ray of its own and return the nanoseconds of each round."""
    with TemporaryDirectory(prefix="breakwater-bench-") as name, RayRuntime(Path(name)):
        import ray

        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(Path(name) / "venue"))
        listener.listen(1)
        threading.Thread(target=_swallow, args=(listener,), daemon=True).start()
        ray.method(num_returns=0)(Hop.receive)
        actor = ray.remote(Hop)
        made: list[Any] = [
            actor.options(num_cpus=0, max_restarts=0, max_task_retries=0, enable_task_events=False).remote()
            for _ in range(9)
        ]
        feed, join, gateway, *strategies = made
        parts = [("feed", feed, strategies), ("join", join, [gateway]), ("gateway", gateway, [feed])]
        parts += [("strategy", strategy, [join]) for strategy in strategies]
        ray.get([each.link.remote(role, others, name) for role, each, others in parts])
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


def _swallow(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        while connection.recv(65_536):
            pass
