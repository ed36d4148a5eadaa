"""Read how an engine stands that does not run.

Apart from how a status is laid out: who asks a running engine needs no database, and waits for none to be loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.stores import Stores, find_stores, reading
from domain.halt_causes import cause_values, causes_from, highest
from domain.messages import COORDINATOR, RISK
from domain.risk.manager import SNAPSHOT
from storage.engine import is_begun
from storage.latch_file import LatchFile
from supervisor.latch_keeper import LADDER, FoundLatch


def stored_status(state: Path) -> dict[str, Any]:
    """Return what the stores of a state directory say of an engine that does not run.

    Raises as `cli.stores.find_stores`.
    """
    stores = find_stores(state)
    values: Mapping[str, Any] = {}
    if is_begun(stores.directory.database_url(COORDINATOR)):
        with reading(stores, COORDINATOR) as reader:
            snapshot = reader.snapshot(LADDER)
            values = {} if snapshot is None else snapshot.values
    causes = {"": values.get("causes", {}), **values.get("scoped", {})}
    held = {scope: causes_from(found) for scope, found in causes.items()}
    file = LatchFile(stores.directory.path)
    found = FoundLatch(file.read(), *file.word())
    return {
        "phase": "completed" if stores.session.completed else "stopped",
        "session": stores.session.number,
        "completed": stores.session.completed,
        "bar": _last_bar(stores),
        "rung": highest(held[""]).name,
        "file_rung": found.rung.name,
        "file_raises": found.raises(int(values.get("version", 0)), held[""]),
        "causes": [trigger.value for trigger in sorted(held[""])],
        "scoped": [[scope, highest(found).name] for scope, found in sorted(held.items()) if scope],
        "halted_by": [
            cause_values(scope, trigger, cause)
            for scope, found in sorted(held.items())
            for trigger, cause in sorted(found.items())
        ],
    }


def _last_bar(stores: Stores) -> int:
    """Return the last bar that was decided: a killed engine did not write down where its session stopped."""
    if not is_begun(stores.directory.database_url(RISK)):
        return stores.session.bar
    with reading(stores, RISK) as reader:
        snapshot = reader.snapshot(SNAPSHOT)
    return max(stores.session.bar, -1 if snapshot is None else snapshot.bar)
