"""See that the machine can run a session, before the session is begun: what cannot start must leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cli.sharing import most_roles
from config.settings import Settings
from supervisor import ray_environment
from supervisor.ray_presence import trying_ray


@contextmanager
def fitness(runtime: str, settings: Settings) -> Iterator[Callable[[], None]]:
    """Begin to look at the machine, and yield what raises EnvironmentFault when it cannot run `settings`.

    In one process nothing is needed that this process has not got. For Ray the look takes a second, and other work can
    be done meanwhile; memory is measured when the answer is asked for.
    """
    if runtime != "ray":
        yield lambda: None
        return
    actors = most_roles(settings)
    with trying_ray() as await_import:

        def refuse() -> None:
            await_import()
            ray_environment.check_capacity(
                ray_environment.measure_capacity(), actors, settings.engine.runtime.ray.object_store_bytes
            )

        yield refuse
