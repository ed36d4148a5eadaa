"""A machine that tells of the process it runs in."""

from __future__ import annotations

import importlib
import importlib.util
import signal
import sys
from typing import Any

from actors.parts import ActorContext, Parts
from domain.outputs import Output
from supervisor.child_spec import ChildSpec

HEAVY = ("pandas", "polars", "numba", "pyarrow", "rich", "exchange_calendars", "sqlalchemy", "matplotlib")


class Probe:
    """Tell what is imported, from where, and which signals are blocked."""

    def __init__(self) -> None:
        self.heavy = [name for name in HEAVY if name in sys.modules]

    def handle(self, message: Any) -> list[Output]:
        return []

    def state(self) -> dict[str, Any]:
        return {
            "heavy": self.heavy,
            "path": list(sys.path),
            "config": importlib.import_module("config").__file__,
            "reads_parquet": importlib.util.find_spec("pyarrow.parquet") is not None,
            "interrupt_blocked": signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        }


def probe(spec: ChildSpec, context: ActorContext) -> Parts:
    return Parts(machine=Probe())
