"""Check what an engine needs of the machine and the configuration, and whether one that runs answers."""

from __future__ import annotations

import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from cli.registry import known_strategies, read_settings
from cli.sharing import most_roles
from cli.store_checks import check_state
from cli.verdicts import Finding, failed, ok, warning
from config.settings import Settings
from domain.commands import Verb
from domain.errors import BreakwaterError, Busy, CommandRefused, EnvironmentFault, NotRunning
from supervisor.control_client import ControlClient
from supervisor.control_wire import SOCKET
from supervisor.ray_environment import MIB, OBJECT_STORE_BYTES, Capacity, check_capacity, measure_capacity
from supervisor.ray_presence import trying_ray

__all__ = ["Finding", "run_checks"]

PYTHONS = ((3, 11), (3, 14))
"""The first Python that is taken, and the first that is not."""

ACTORS = 11
"""Roles of the shipped configuration, for which memory is checked where none can be read."""

_BOUND = re.compile(r"(?P<name>[A-Za-z0-9._-]+)>=(?P<least>[0-9.]+)")
_LEAST_DISK = 0.10
"""Free part of a disk below which a person should look (requirement C2)."""

_NO_DISK_BYTES = 200 * MIB


def run_checks(config: Path | None, state: Path, environ: Mapping[str, str]) -> list[Finding]:
    """Return what every check found, in the order in which an engine would stumble."""
    settings, configuration = check_configuration(config, environ)
    return [
        check_python(sys.version_info[:2]),
        check_packages(),
        check_ray(),
        configuration,
        *check_memory(measure_capacity(), settings),
        check_disk(state),
        *check_state(config, state),
        check_socket(state),
    ]


def check_python(version: tuple[int, int]) -> Finding:
    """Check the interpreter's version."""
    words = f"{platform.python_implementation()} {platform.python_version()}"
    least, end = PYTHONS
    if least <= version < end:
        return ok("Python", words)
    advice = f"use Python {least[0]}.{least[1]} to {end[0]}.{end[1] - 1}"
    return failed("Python", words, advice)


def check_packages() -> Finding:
    """Check that every library is there, and new enough."""
    try:
        needed = metadata.requires("breakwater") or []
    except metadata.PackageNotFoundError:
        return warning("packages", "breakwater itself is not installed", "`make setup`")
    wrong = list(_lacking(needed))
    if wrong:
        return failed("packages", "; ".join(wrong), "`make setup` installs them")
    count = sum(";" not in each for each in needed)
    return ok("packages", f"{count} libraries, as new as is needed")


def _lacking(needed: list[str]) -> Iterator[str]:
    for requirement in needed:
        bound = _BOUND.match(requirement)
        if bound is None or ";" in requirement:  # of an extra
            continue
        try:
            found = metadata.version(bound["name"])
        except metadata.PackageNotFoundError:
            yield f"{bound['name']} is missing"
            continue
        if _numbers(found) < _numbers(bound["least"]):
            yield f"{bound['name']} {found} is older than {bound['least']}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def check_ray() -> Finding:
    """Check that Ray can be imported, as `run` does before it begins."""
    begun = time.monotonic()
    try:
        with trying_ray() as await_import:
            await_import()
    except EnvironmentFault as error:
        return failed("Ray", str(error), "see there")
    return ok("Ray", f"{metadata.version('ray')}, imported in {time.monotonic() - begun:.1f} s")


def check_configuration(config: Path | None, environ: Mapping[str, str]) -> tuple[Settings | None, Finding]:
    """Check the configuration as `run` reads it, strategies of the user's own included; return it too, if it is one."""
    settings = None
    try:
        settings = read_settings(config, dict(environ), to_trade=True)
        known_strategies(settings)
    except BreakwaterError as error:
        advice = "`breakwater config validate` lists every fault"
        return settings, failed("configuration", str(error), advice)
    where = "the shipped files" if config is None else str(config)
    return settings, ok("configuration", f"valid: {where}, mode {settings.mode.value}")


def check_memory(capacity: Capacity, settings: Settings | None) -> Iterator[Finding]:
    """Check that Ray's processes, as many as `settings` make, fit into memory and shared memory."""
    actors, store = ACTORS, OBJECT_STORE_BYTES
    if settings is not None:
        actors, store = most_roles(settings), settings.engine.runtime.ray.object_store_bytes
    shared = capacity.shared
    for name, part, size in (
        ("memory", Capacity(memory=capacity.memory, shared=None), capacity.memory),
        ("shared memory", Capacity(memory=1 << 62, shared=shared), shared),
    ):
        if size is None:
            yield ok(name, "no file system of its own here")
            continue
        try:
            check_capacity(part, actors, store)
        except EnvironmentFault as error:
            yield failed(name, str(error), "see there")
        else:
            yield ok(name, f"{size // MIB:,} MiB free")


def check_disk(state: Path) -> Finding:
    """Check the room on the state directory's disk."""
    place = state.absolute()
    while not place.exists():
        place = place.parent
    usage = shutil.disk_usage(place)
    words = f"{usage.free // MIB:,} MiB free of {usage.total // MIB:,} MiB at {place}"
    if usage.free < _NO_DISK_BYTES:
        return failed("disk", words, "make room: an engine stops at the first write that fails")
    if usage.free < _LEAST_DISK * usage.total:
        return warning("disk", words, "make room, or name a state directory on another disk")
    return ok("disk", words)


def check_socket(state: Path) -> Finding:
    """Check that an engine which runs answers, and how soon."""
    begun, place = time.monotonic(), state.absolute() / SOCKET
    if place.is_dir():
        return failed("control socket", f"{place} is a directory", "move it away: no engine can listen there")
    try:
        body = ControlClient(state.absolute(), 3.0).ask(Verb.STATUS)
    except NotRunning:
        return ok("control socket", "no engine runs")
    except Busy as error:
        return failed("control socket", str(error), "look at its log; `halt` writes the latch file meanwhile")
    except CommandRefused as error:
        return failed("control socket", str(error), "ask as the user who runs the engine")
    return ok("control socket", f"{body['phase']}, answered in {(time.monotonic() - begun) * 1e3:.0f} ms")
