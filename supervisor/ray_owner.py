"""Start and end Ray on a thread of its own."""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from domain.errors import EnvironmentFault
from supervisor.signals import reclaim_signals

NAMESPACE = "breakwater"
SHUTDOWN_S = 15.0
_RECLAIM_S = 0.1
_RECLAIM_AT_END_S = 0.005
"""Ray lets go of SIGTERM at its end, not to us but to the system, which kills: for this long at most."""


class RayOwner:
    """Own Ray on a thread that lives as long as Ray does; `ray` is the module.

    Two reasons for the thread: Ray replaces the SIGTERM handler of whoever starts it on the main thread, and on Linux
    its processes are killed by the kernel when the thread that started them ends. `start` is called on the main thread,
    which takes the signals back that Ray takes below Python; the end likewise.
    """

    def __init__(self, ray: Any, session: Path, *, num_cpus: int, object_store_bytes: int) -> None:
        self._ray, self._session = ray, session
        self._num_cpus, self._object_store_bytes = num_cpus, object_store_bytes
        self._up, self._down = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="ray-owner", daemon=True)
        self._error: BaseException | None = None

    def start(self, cleanup: ExitStack) -> None:
        """Start Ray and register its end with `cleanup`; raises EnvironmentFault when it does not start."""
        cleanup.callback(self._stop)
        self._thread.start()
        while not self._up.wait(_RECLAIM_S):
            reclaim_signals()
        reclaim_signals()
        if self._error is not None:
            words = str(self._error).partition("\n")[0]
            raise EnvironmentFault(f"Ray did not start: {words}") from self._error

    def _stop(self) -> None:
        self._down.set()
        until_s = time.monotonic() + SHUTDOWN_S
        while self._thread.is_alive() and time.monotonic() < until_s:
            self._thread.join(_RECLAIM_AT_END_S)
            reclaim_signals()

    def _run(self) -> None:
        try:
            self._init()
        except BaseException as error:
            self._error = error
        finally:
            self._up.set()
        self._down.wait()
        self._ray.shutdown(wait_for_processes=True)

    def _init(self) -> None:
        ray = self._ray
        logging.getLogger("ray").setLevel(logging.ERROR)
        if not ipaddress.ip_address(ray.util.get_node_ip_address()).is_loopback:
            raise EnvironmentFault(
                "it was imported before its settings were made and would listen on every interface; "
                "import nothing that imports Ray before the engine starts"
            )
        # Ray prints to standard output that a worker died, in the middle of what a command prints there; we tell it
        # ourselves. Nothing public turns that off.
        ray._private.worker._worker_logs_enabled = False
        with _our_way(ray):
            ray.init(
                address="local",
                num_cpus=self._num_cpus,
                object_store_memory=self._object_store_bytes,
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
                namespace=NAMESPACE,
                _temp_dir=str(self._session),
            )


@contextmanager
def _our_way(ray: Any) -> Iterator[None]:
    """Change, while Ray starts, two things that `ray.init` has no options for.

    It starts neither its autoscaler nor the server that sends workers' output to the driver: they have nothing to do
    here, and take 90 MiB and a second of a start (`ray start` has --no-monitor and --include-log-monitor). And its
    servers get process groups of their own: what is sent to the engine's whole group, as `timeout` and shells do to
    stop a job, would end them first, and Ray's library then waits a minute and aborts the engine.
    """
    parameter, services = ray._private.parameter, ray._private.services
    whole, popen = parameter.RayParams, services.ConsolePopen
    parameter.RayParams = partial(whole, no_monitor=True, include_log_monitor=False)
    services.ConsolePopen = partial(popen, process_group=0)
    try:
        yield
    finally:
        parameter.RayParams, services.ConsolePopen = whole, popen
