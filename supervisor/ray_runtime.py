"""Run roles as Ray actors, one process each: the only spawn, call, kill and probe, and the only module on Ray."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, chdir
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

import supervisor
from domain.errors import BreakwaterError, Busy, EnvironmentFault, NotRunning
from domain.messages import Message
from supervisor import ray_environment
from supervisor.child_spec import ChildSpec
from supervisor.ray_actor import HandleRouter, RoleHost
from supervisor.ray_leftovers import clear_session, note_session, session_note
from supervisor.ray_owner import NAMESPACE, RayOwner

START_S = 60.0
EXIT_S = 5.0
SERVERS = frozenset({"gcs_server", "raylet"})
"""Processes of Ray's own without which nothing goes on; its library aborts the whole process a minute later."""


@dataclass(frozen=True, slots=True)
class _Child:
    spec: ChildSpec
    handle: Any
    process: psutil.Process


def actor_name(role: str, generation: int) -> str:
    """Return the name under which Ray knows one generation of a role."""
    return f"{role}#{generation}"


class RayRuntime:
    """Start Ray on this machine and run roles in it (port: `domain.ports.Runtime`).

    Use as a context manager: leaving it ends every process that it started, whatever happened. Ray listens on the
    loopback address alone, asks for a token of this session, and its processes see neither the caller's directory nor
    its ^C: that reaches this process only, which stops the roles in order. Raises EnvironmentFault on entry when the
    machine lacks something.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        actors: int = 16,
        num_cpus: int = ray_environment.NUM_CPUS,
        object_store_bytes: int = ray_environment.OBJECT_STORE_BYTES,
    ) -> None:
        """Run up to `actors` roles; `num_cpus` and `object_store_bytes` size Ray itself."""
        self._num_cpus, self._object_store_bytes = num_cpus, object_store_bytes
        self._state_dir, self._actors = state_dir.absolute(), actors
        self._children: dict[str, _Child] = {}
        self._router = HandleRouter()
        self._ray: Any = None
        self._roots: list[psutil.Process] = []
        self._servers: dict[str, psutil.Process] = {}
        self._cleanup = ExitStack()

    def __enter__(self) -> RayRuntime:
        """Start Ray."""
        ray_environment.check_capacity(
            ray_environment.measure_capacity(), self._actors, self._object_store_bytes
        )
        token = self._state_dir / "ray" / "token"
        ray_environment.write_token(token)
        clear_session(session_note(self._state_dir))
        try:
            self._cleanup.enter_context(ray_environment.environment(ray_environment.ray_environment(token)))
            self._start_ray()
        except BaseException:
            self.shutdown()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every process that was started."""
        self.shutdown()

    # --- roles --------------------------------------------------------------------------------------------------

    def spawn(self, specs: Sequence[ChildSpec], *, deadline_s: float = START_S) -> None:
        """Start a process for each of `specs`, all at once, and make every role known to every other.

        Returns when all factories are done. When one fails, all of `specs` are killed and its error is raised; what
        is not up after `deadline_s` seconds is an EnvironmentFault.
        """
        until_s = time.monotonic() + deadline_s
        handles = {spec.role: self._create(spec) for spec in specs}
        started = {spec.role: handles[spec.role].start.remote(spec, str(self._state_dir)) for spec in specs}
        try:
            for spec in specs:
                pid = self._result(spec.role, started[spec.role], until_s - time.monotonic())
                self._children[spec.role] = _Child(spec, handles[spec.role], psutil.Process(pid))
            everyone = {role: child.handle for role, child in self._children.items()}
            self._router.connect(everyone)
            connected = {role: handle.connect.remote(everyone) for role, handle in everyone.items()}
            for role, reference in connected.items():
                self._result(role, reference, until_s - time.monotonic())
        except BaseException as error:
            for spec in specs:
                self._ray.kill(handles[spec.role], no_restart=True)
                self._children.pop(spec.role, None)
            if isinstance(error, Busy):
                raise EnvironmentFault(f"not every role started within {deadline_s:g} s: {error}") from error
            raise

    def send(self, to: str, message: Message, *, control: bool = False) -> None:
        """Post `message`; fire and forget, so what is sent to a role that has ended is lost without a word."""
        self._router(to, message, control)

    def snapshot(self, role: str, *, deadline_s: float = 1.0) -> Mapping[str, Any]:
        """Return the shell's figures and, as `state`, the machine's.

        Raises NotRunning when the process has ended, Busy when it does not answer in time.
        """
        child = self._child(role)
        answer: Mapping[str, Any] = self._result(
            role, child.handle.snapshot.remote(deadline_s), deadline_s + 1.0
        )
        return answer

    def alive(self, role: str) -> bool:
        """Say whether the role's process exists and its loop goes on, as far as is known while it is busy."""
        child = self._children.get(role)
        if child is None or not _runs(child.process):
            return False
        try:
            return bool(self.snapshot(role)["alive"])
        except Busy:
            return True
        except NotRunning:
            return False

    def stop(self, roles: Sequence[str]) -> tuple[str, ...]:
        """Stop roles together, each within its own deadline, then end their processes.

        Returns those that did not stop in time and were killed. Queued messages are dropped: drain first.
        """
        children = [self._children[role] for role in roles if role in self._children]
        asked = [(child, child.handle.stop.remote(child.spec.stop_s)) for child in children]
        late = []
        for child, reference in asked:
            try:
                if not self._result(child.spec.role, reference, child.spec.stop_s + 1.0):
                    late.append(child.spec.role)
            except (Busy, NotRunning):
                late.append(child.spec.role)
        for child in children:
            self.kill(child.spec.role, child.spec.generation)
        return tuple(late)

    def kill(self, role: str, generation: int) -> bool:
        """Kill one generation of a role at once and wait for its process to end; False when there is none such."""
        try:
            handle = self._ray.get_actor(actor_name(role, generation), namespace=NAMESPACE)
        except ValueError:
            return False
        self._ray.kill(handle, no_restart=True)
        child = self._children.get(role)
        if child is not None and child.spec.generation == generation:
            del self._children[role]
            self._end([child.process])
        return True

    @property
    def address(self) -> str:
        """Return host and port of Ray's control store."""
        return str(self._ray.get_runtime_context().gcs_address)

    def processes(self) -> Mapping[str, int]:
        """Return the process id of each role that was spawned and not stopped."""
        return {role: child.process.pid for role, child in self._children.items()}

    def ended(self) -> tuple[str, ...]:
        """Return the roles whose process ended though nobody stopped it: killed by the system or by its user."""
        return tuple(role for role, child in self._children.items() if not _runs(child.process))

    def broken(self) -> str:
        """Return the name of a server of Ray's own that ended though nobody stopped it, "" while all run."""
        return next((name for name, server in self._servers.items() if not _runs(server)), "")

    def shutdown(self) -> None:
        """End Ray and every process below it, politely at first; harmless when done already."""
        tree = [process for root in self._roots for process in (root, *_descendants(root))]
        self._children.clear()
        self._roots.clear()
        self._servers.clear()
        self._cleanup.close()
        self._end(tree)

    # --- Ray ----------------------------------------------------------------------------------------------------

    def _start_ray(self) -> None:
        before = set(psutil.Process().children())
        session, note = ray_environment.make_session_dir(), session_note(self._state_dir)
        # Killed while Ray starts or ends, the directory is left too: the note comes first and goes last.
        self._cleanup.callback(note.unlink, missing_ok=True)
        self._cleanup.callback(ray_environment.remove_session_dir, session)
        note_session(note, session, ())
        root = Path(supervisor.__file__).resolve().parents[1]
        with (
            ray_environment.environment(
                {"PYTHONPATH": ray_environment.import_path(root, os.environ.get("PYTHONPATH", ""))}
            ),
            chdir(session / ray_environment.WORKER_DIR),
        ):
            try:
                self._ray = _import_ray()
                owner = RayOwner(
                    self._ray, session, num_cpus=self._num_cpus, object_store_bytes=self._object_store_bytes
                )
                owner.start(self._cleanup)
            finally:
                self._roots = [child for child in psutil.Process().children() if child not in before]
        self._servers = {root.name(): root for root in self._roots if root.name() in SERVERS}
        note_session(
            note, session, [process for root in self._roots for process in (root, *_descendants(root))]
        )

    def _create(self, spec: ChildSpec) -> Any:
        # Nobody waits for a message to be received: without a return value Ray keeps no books on it.
        self._ray.method(num_returns=0)(RoleHost.receive)
        host = self._ray.remote(RoleHost)
        return host.options(
            name=actor_name(spec.role, spec.generation),
            namespace=NAMESPACE,
            num_cpus=0,
            max_restarts=0,
            max_task_retries=0,
            enable_task_events=False,
        ).remote()

    def _child(self, role: str) -> _Child:
        if role not in self._children:
            raise NotRunning(
                f"no role {role!r} is running; running: {', '.join(sorted(self._children)) or 'none'}"
            )
        return self._children[role]

    def _result(self, role: str, reference: Any, timeout_s: float) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference, timeout=max(0.0, timeout_s))
        except errors.GetTimeoutError as error:
            raise Busy(f"{role} did not answer within {timeout_s:.0f} s") from error
        except errors.RayTaskError as error:
            if isinstance(error.cause, BreakwaterError):
                raise error.cause from None
            raise
        except errors.RayActorError as error:
            raise NotRunning(f"{role}: its process ended") from error

    def _end(self, processes: Sequence[psutil.Process]) -> None:
        _, left = psutil.wait_procs(processes, timeout=EXIT_S)
        for process in left:
            process.kill()
        _, left = psutil.wait_procs(left, timeout=EXIT_S)
        if left:
            raise EnvironmentFault(
                f"processes that do not end even when killed: {sorted(process.pid for process in left)}; "
                "they are stuck in the kernel, mostly on a disk or network file system that does not answer"
            )


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise EnvironmentFault(
            f"Ray cannot be imported ({error}); install it, or run with --runtime inline"
        ) from error
    return ray


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        below: list[psutil.Process] = process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return below
