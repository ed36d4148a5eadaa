"""Halt where no engine hears: write the latch's file, which gateway and next run look at before anything else."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cli.drive import FAILED, EngineFailed
from cli.stores import Stores, find_stores
from domain.commands import Verb
from domain.errors import Busy, DurabilityError, NotRunning
from domain.messages import COORDINATOR
from domain.records import Rung
from storage.files import FileLock
from storage.latch_file import LatchFile

LOCK = "halt.lock"
"""Held while the latch's file is looked at and replaced."""

_LOCK_S = 1.0
_LONGEST = 4_000
"""Characters that the file keeps of who halted and why."""

_RUNGS = {Verb.HALT: Rung.HALTED, Verb.REDUCE: Rung.REDUCING, Verb.FLATTEN: Rung.FLATTENING}


def halt_by_file(
    state: Path, verb: Verb, reason: str, name: str, error: Busy | NotRunning
) -> Mapping[str, Any]:
    """Write the latch's file of a state directory and return the answer that tells of it.

    Where no engine runs only `halt` can be done: raises `error` for the others, and where no engine has ever run. A
    file that says more already stays.
    """
    running = isinstance(error, Busy)
    if not running and verb is not Verb.HALT:
        raise error
    stores = find_stores(state)
    path = stores.directory.path
    who = f"{getpass.getuser()} (process {os.getpid()}){f' as {name}' if name else ''}"
    stands = _latched(path, _RUNGS[verb], f"{who}: {reason}")
    return {
        "ok": True,
        "requested": True,
        "acknowledged": not running,
        "effective": not running,
        "running": running,
        "detail": _detail(stores, stands, error),
        "verb": verb.value,
    }


def failed_coordinator(state: Path, why: str) -> EngineFailed:
    """Halt the account, for who else would has failed for good, and return the error that tells of it.

    As any role but a strategy it leaves the account halted: nobody knows what it did wrong.
    """
    try:
        _latched(state, Rung.HALTED, f"the coordinator failed: {why}")
    except DurabilityError as error:
        halted = f"it could not be halted: {error}"
    else:
        halted = f"the latch file {state / 'halt'} halts it, the next run too, until `breakwater resume`"
    return EngineFailed(f"{FAILED}{COORDINATOR}: {why}\n  the account: {halted}")


def _latched(path: Path, rung: Rung, detail: str) -> Rung:
    """Raise the latch's file to `rung` unless it says more, and return what it says; raises DurabilityError.

    What a person wrote there before stays beside it: nobody has recorded it yet. Two at once wait for each other; a
    lock that cannot be taken halts all the same.
    """
    lock, file = FileLock(path / LOCK), LatchFile(path)
    with suppress(OSError):
        lock.take(f"process {os.getpid()}", wait_s=_LOCK_S)
    try:
        stands, (version, before) = file.read(), file.word()
        unheard = before if stands > Rung.ACTIVE and version == 0 else ""
        if unheard or stands <= rung:
            file.write(max(rung, stands), 0, _both(unheard, detail))
        return file.read()
    finally:
        lock.release()


def _both(before: str, detail: str) -> str:
    """Return both texts; where they grow too long only how the first began is kept of what was there."""
    if not before or before == detail:
        return detail
    return f"{before[: max(0, _LONGEST - len(detail))]}; then {detail}"


def _detail(stores: Stores, rung: Rung, error: Busy | NotRunning) -> str:
    file = stores.directory.path / "halt"
    if isinstance(error, Busy):
        inline = "; one that runs inline at full speed does not look at it" * (
            stores.session.runtime == "inline"
        )
        return (
            f"{error}. The latch file {file} says {rung.name}: the gateway sends nothing that increases exposure past "
            f"it{inline}. `resume --force` takes it away where the engine never came to know of it"
        )
    return (
        f"no engine runs; the latch file {file} says {rung.name}, so the next run of this session starts so "
        f"and records who and why (--fresh begins another session, which is not halted)"
    )
