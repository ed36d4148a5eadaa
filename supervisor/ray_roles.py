"""Create, call, probe and kill roles in a Ray that runs: what the engine's process and the coordinator's share."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from domain.errors import BreakwaterError, Busy, EnvironmentFault, NotRunning
from domain.messages import COORDINATOR, Message
from supervisor.child_spec import ChildSpec
from supervisor.ray_actor import MESSAGES, HandleRouter, RoleHost
from supervisor.ray_owner import NAMESPACE

START_S = 60.0
EXIT_S = 5.0


@dataclass(frozen=True, slots=True)
class RoleProcess:
    """Be one generation of a role: how to call it and the process it is."""

    spec: ChildSpec
    handle: Any
    process: psutil.Process


def actor_name(role: str, generation: int) -> str:
    """Return the name under which Ray knows one generation of a role."""
    return f"{role}#{generation}"


class RayRoles:
    """Run roles as named, detached actors: they outlive who created them, which finds them again by name.

    Ray restarts none of them but the coordinator, which starts the others anew: a death is then known at once, and a
    restart is a decision with a limit.
    """

    def __init__(self, state_dir: Path) -> None:
        """Know no role yet; `_ray` is set once Ray runs."""
        self._state_dir = state_dir.absolute()
        self._children: dict[str, RoleProcess] = {}
        self._router = HandleRouter()
        self._ray: Any = None
        self._coordinator_host: Any = None

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
                self._children[spec.role] = RoleProcess(spec, handles[spec.role], psutil.Process(pid))
            self._introduce([spec.role for spec in specs], until_s)
        except BaseException as error:
            for spec in specs:
                self._ray.kill(handles[spec.role], no_restart=True)
                self._children.pop(spec.role, None)
            if isinstance(error, Busy):
                raise EnvironmentFault(f"not every role started within {deadline_s:g} s: {error}") from error
            raise

    def find(self, specs: Mapping[str, ChildSpec]) -> tuple[str, ...]:
        """Take over the newest generation of each of `specs` that is at work; return which roles were found."""
        newest = self._newest()
        named = [spec.of_generation(newest[role]) for role, spec in specs.items() if role in newest]
        for role in specs.keys() - newest.keys():
            self._children.pop(role, None)
        found = []
        # All at once: one that does not answer would keep who asks from the others for seconds.
        with ThreadPoolExecutor(max_workers=max(1, len(named))) as pool:
            for process in filter(None, pool.map(self._look_up, named)):
                self._children[process.spec.role] = process
                found.append(process.spec.role)
        self._router.connect({role: child.handle for role, child in self._children.items()})
        return tuple(found)

    def _newest(self) -> dict[str, int]:
        """Return the newest generation of each role that Ray knows by name, whether it answers or not."""
        newest: dict[str, int] = {}
        for name in self._ray.util.list_named_actors():
            role, _, generation = name.rpartition("#")
            newest[role] = max(newest.get(role, 0), int(generation))
        return newest

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
        if child is None or not runs(child.process):
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
        child = self._children.get(role)
        if child is not None and child.spec.generation != generation:
            child = None
        process = self._process_of(handle) if child is None else child.process
        self._ray.kill(handle, no_restart=True)
        if child is not None:
            self._children.pop(role, None)  # who starts its next generation may have forgotten it already
        if process is not None:
            end([process])
        return True

    def processes(self) -> Mapping[str, int]:
        """Return the process id of each role that was spawned or found, and not stopped."""
        return {role: child.process.pid for role, child in self._children.items()}

    # --- Ray ----------------------------------------------------------------------------------------------------

    def _create(self, spec: ChildSpec) -> Any:
        declare_messages(self._ray)
        coordinates = spec.role == COORDINATOR and self._coordinator_host is not None
        actor = self._ray.remote(concurrency_groups={MESSAGES: 1})
        host = actor(self._coordinator_host if coordinates else RoleHost)
        arguments = (spec, str(self._state_dir)) if coordinates else ()
        return host.options(
            name=actor_name(spec.role, spec.generation),
            namespace=NAMESPACE,
            lifetime="detached",
            num_cpus=0,
            max_restarts=-1 if coordinates else 0,
            max_task_retries=0,
            enable_task_events=False,
        ).remote(*arguments)

    def _introduce(self, roles: Iterable[str], until_s: float) -> None:
        """Make `roles` known to everyone and everyone to them, and wait for these."""
        everyone = self._everyone()
        new = {role: everyone[role] for role in roles}
        self._router.connect(everyone)
        waited_for = {role: handle.connect.remote(everyone) for role, handle in new.items()}
        for role, handle in everyone.items():
            if role not in new and handle is not None:
                handle.connect.remote(new)
        for role, reference in waited_for.items():
            self._result(role, reference, until_s - time.monotonic())

    def _everyone(self) -> dict[str, Any]:
        """Return the handle of every role there is."""
        return {role: child.handle for role, child in dict(self._children).items()}

    def _look_up(self, spec: ChildSpec) -> RoleProcess | None:
        """Return this generation of a role if it answers, in time, that it was started."""
        if (handle := self._handle(spec)) is None:
            return None
        try:
            pid = self._result(spec.role, handle.where.remote(), EXIT_S)
            return RoleProcess(spec, handle, psutil.Process(pid)) if pid else None
        except (NotRunning, Busy, psutil.NoSuchProcess):
            return None

    def _handle(self, spec: ChildSpec) -> Any:
        """Return the handle of this generation of a role, None when there is none such."""
        try:
            return self._ray.get_actor(actor_name(spec.role, spec.generation), namespace=NAMESPACE)
        except ValueError:
            return None

    def _process_of(self, handle: Any) -> psutil.Process | None:
        """Return the process that Ray keeps on record for an actor, which need not answer for that."""
        pid = self._ray._private.state.actors(handle._ray_actor_id.hex()).get("Pid")
        try:
            return psutil.Process(pid) if pid else None
        except psutil.NoSuchProcess:
            return None

    def _child(self, role: str) -> RoleProcess:
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


def declare_messages(ray: Any) -> None:
    """Let Ray keep no books on messages, whose receipt nobody waits for, and take them in a thread of their own.

    Where other roles are is told in the same thread: a message must not overtake what makes its answer possible.
    """
    for method in (RoleHost.receive, RoleHost.receive_control):
        ray.method(num_returns=0, concurrency_group=MESSAGES)(method)
    ray.method(concurrency_group=MESSAGES)(RoleHost.connect)


def end(processes: Sequence[psutil.Process]) -> None:
    """Wait for processes that were told to end, kill those that do not; raises EnvironmentFault for what stays."""
    _, left = psutil.wait_procs(processes, timeout=EXIT_S)
    for process in left:
        process.kill()
    _, left = psutil.wait_procs(left, timeout=EXIT_S)
    if left:
        raise EnvironmentFault(
            f"processes that do not end even when killed: {sorted(process.pid for process in left)}; "
            "they are stuck in the kernel, mostly on a disk or network file system that does not answer"
        )


def runs(process: psutil.Process) -> bool:
    """Say whether a process is there and has not ended."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def descendants(process: psutil.Process) -> list[psutil.Process]:
    """Return the processes below one, none where it has ended."""
    try:
        below: list[psutil.Process] = process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return below
