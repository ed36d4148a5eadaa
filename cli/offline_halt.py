"""Halt where no engine hears: write the latch's file, which gateway and next run look at before anything else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.asker import asker
from cli.drive import FAILED, EngineFailed
from cli.stores import Stores, find_stores
from domain.alerts import Alert, Severity, figures_values
from domain.commands import Verb
from domain.errors import Busy, DurabilityError, NotRunning
from domain.messages import COORDINATOR
from domain.records import Rung
from storage.latch_file import LatchFile

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
    words = f"{asker(name)}: {reason}"
    stands = LatchFile(path).raise_to(_RUNGS[verb], words)
    # Here: a halt that an engine hears needs no channels, and nothing of theirs may come before the file.
    from cli.alerting import alert_of_session

    told = alert_of_session(stores.session, path, _alert(stands, words, error))
    return {
        "ok": True,
        "requested": True,
        "acknowledged": not running,
        "effective": not running,
        "running": running,
        "detail": _detail(stores, stands, error) + told.words,
        "verb": verb.value,
        "alerts": [figures_values(each) for each in told.channels],
    }


def _alert(rung: Rung, reason: str, error: Busy | NotRunning) -> Alert:
    """Word the alert of a halt that no engine could make: the next run records the halt, and alerts of it too."""
    engine = "it does not answer" if isinstance(error, Busy) else "none runs"
    lines = (("severity", "critical"), ("trigger", "latch file"), ("reason", reason), ("engine", engine))
    return Alert(Severity.CRITICAL, f"the account is {rung.name}: latch file", lines)


def failed_coordinator(state: Path, why: str) -> EngineFailed:
    """Halt the account, for who else would has failed for good, and return the error that tells of it.

    As any role but a strategy it leaves the account halted: nobody knows what it did wrong.
    """
    try:
        LatchFile(state).raise_to(Rung.HALTED, f"the coordinator failed: {why}")
    except DurabilityError as error:
        halted = f"it could not be halted: {error}"
    else:
        halted = f"the latch file {state / 'halt'} halts it, the next run too, until `breakwater resume`"
    return EngineFailed(f"{FAILED}{COORDINATOR}: {why}\n  the account: {halted}")


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
