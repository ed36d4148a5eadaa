"""Write a role's log as JSON lines, one file a role."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Protocol

# structlog imports rich where it is installed, for colours that no file needs: 0.2 s and 7 MiB in every actor.
_HIDDEN = "rich"
if _HIDDEN in sys.modules:
    import structlog
else:
    sys.modules[_HIDDEN] = None  # type: ignore[assignment]
    try:
        import structlog
    finally:
        del sys.modules[_HIDDEN]


class Log(Protocol):
    """Take structured events: a name and values."""

    def info(self, event: str, **values: Any) -> Any:
        """Note what is normal."""
        ...

    def warning(self, event: str, **values: Any) -> Any:
        """Note what a person should look at."""
        ...

    def error(self, event: str, **values: Any) -> Any:
        """Note what failed; `exc_info=True` adds the traceback."""
        ...


def log_path(state_dir: Path, role: str) -> Path:
    """Return where `role` logs below `state_dir`; colon and slash of an address are no part of a file name."""
    return state_dir / "logs" / f"{role.replace(':', '-').replace('/', '-')}.log"


def open_log(state_dir: Path, role: str, generation: int) -> Log:
    """Open the log of `role` for appending; every line carries level, UTC time, role and generation."""
    path = log_path(state_dir, role)
    path.parent.mkdir(parents=True, exist_ok=True)
    logger: Log = structlog.wrap_logger(
        structlog.WriteLogger(path.open("a", buffering=1, encoding="utf-8")),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ],
        context_class=dict,
    ).bind(role=role, generation=generation)
    return logger
