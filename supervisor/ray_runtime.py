"""Start Ray on this machine and run roles in it: the only module that imports Ray besides the sweeps."""

from __future__ import annotations

import os
from contextlib import ExitStack, chdir
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

import supervisor
from domain.errors import EnvironmentFault
from supervisor import ray_environment
from supervisor.child_spec import ChildSpec
from supervisor.ray_actor import RoleHost
from supervisor.ray_leftovers import clear_ray, note_ray, ray_note
from supervisor.ray_owner import RayOwner
from supervisor.ray_roles import RayRoles, descendants, end, runs

SERVERS = frozenset({"gcs_server", "raylet"})
"""Processes of Ray's own without which nothing goes on; its library aborts the whole process a minute later."""


class CoordinatorHost(RoleHost):
    """Host the coordinator, which Ray restarts: what nobody is there to start takes up its work by itself."""

    def __init__(self, spec: ChildSpec, state_dir: str) -> None:
        super().__init__()
        if import_ray().get_runtime_context().was_current_actor_reconstructed:
            self.start(spec, state_dir)
            self.begin()


class RayRuntime(RayRoles):
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
        super().__init__(state_dir)
        self._num_cpus, self._object_store_bytes, self._actors = num_cpus, object_store_bytes, actors
        self._coordinator_host = CoordinatorHost
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
        clear_ray(ray_note(self._state_dir))
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

    @property
    def address(self) -> str:
        """Return host and port of Ray's control store."""
        return str(self._ray.get_runtime_context().gcs_address)

    def broken(self) -> str:
        """Return the name of a server of Ray's own that ended though nobody stopped it, "" while all run."""
        return next((name for name, server in self._servers.items() if not runs(server)), "")

    def shutdown(self) -> None:
        """End Ray and every process below it, politely at first; harmless when done already."""
        tree = [process for root in self._roots for process in (root, *descendants(root))]
        self._children.clear()
        self._roots.clear()
        self._servers.clear()
        self._cleanup.close()
        end(tree)

    # --- Ray ----------------------------------------------------------------------------------------------------

    def _start_ray(self) -> None:
        before = set(psutil.Process().children())
        session, note = ray_environment.make_session_dir(), ray_note(self._state_dir)
        # Killed while Ray starts or ends, the directory is left too: the note comes first and goes last.
        self._cleanup.callback(note.unlink, missing_ok=True)
        self._cleanup.callback(ray_environment.remove_session_dir, session)
        note_ray(note, session, ())
        root = Path(supervisor.__file__).resolve().parents[1]
        with (
            ray_environment.environment(
                {"PYTHONPATH": ray_environment.import_path(root, os.environ.get("PYTHONPATH", ""))}
            ),
            chdir(session / ray_environment.WORKER_DIR),
        ):
            try:
                self._ray = import_ray()
                owner = RayOwner(
                    self._ray, session, num_cpus=self._num_cpus, object_store_bytes=self._object_store_bytes
                )
                owner.start(self._cleanup)
            finally:
                self._roots = [child for child in psutil.Process().children() if child not in before]
        self._servers = {root.name(): root for root in self._roots if root.name() in SERVERS}
        note_ray(note, session, [process for root in self._roots for process in (root, *descendants(root))])


def import_ray() -> Any:
    """Return Ray's module; raises EnvironmentFault where it cannot be imported."""
    try:
        import ray
    except ImportError as error:
        raise EnvironmentFault(
            f"Ray cannot be imported ({error}); install it, or run with --runtime inline"
        ) from error
    return ray
