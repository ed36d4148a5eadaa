"""Say things to programs, and what went wrong to people: one JSON object, errors on standard error, exit codes.

Exit codes: 0 ok, 1 error, 2 usage, 3 not running, 4 configuration, 5 timeout, 130 interrupted or forced to end.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec

import typer

from cli.libraries import library_fault
from domain.errors import BreakwaterError

P = ParamSpec("P")


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object and nothing else, whole.

    Not by `sys.stdout.write`: where a signal comes while a slow reader keeps it waiting, that loses the rest.
    """
    text = json.dumps(value, indent=2, default=str, allow_nan=False) + "\n"
    sys.stdout.flush()
    try:
        number = sys.stdout.fileno()
    except OSError:  # it is no file: a test's own
        sys.stdout.write(text)
        return
    left = memoryview(text.encode())
    while left:
        left = left[os.write(number, left) :]


def command(function: Callable[P, None]) -> Callable[P, None]:
    """Turn the engine's exceptions, and libraries that cannot be loaded, into text on standard error and exit codes.

    With `--json` the error is one JSON object on standard output as well, so that a program always gets one.
    """

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except BreakwaterError as error:
            fail(error, as_json=bool(kwargs.get("as_json", False)))
        except BrokenPipeError:
            sys.stderr.close()  # whoever read us went away: end quietly, as `head` expects
            raise typer.Exit(1) from None
        except (ImportError, OSError) as error:
            fault = library_fault(error)
            if fault is None:
                raise
            fail(fault, as_json=bool(kwargs.get("as_json", False)))

    return wrapped


def fail(error: BreakwaterError, *, as_json: bool) -> None:
    """Report `error` and end with its exit code."""
    if as_json:
        print_json(
            {"error": {"kind": type(error).__name__, "message": str(error)}, "exit_code": error.exit_code}
        )
    # Loaded here: a program that asks for JSON waits for none of it.
    from rich.markup import escape

    from cli.console import ERR

    ERR.print(
        f"[bold red]breakwater:[/] {escape(str(error))}", highlight=False, soft_wrap=not ERR.is_terminal
    )
    raise typer.Exit(error.exit_code)


@contextmanager
def only_json() -> Iterator[None]:
    """Send to standard error whatever anybody, Ray included, writes to standard output meanwhile.

    What is printed on standard output afterwards is then the one JSON object, and nothing else.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
