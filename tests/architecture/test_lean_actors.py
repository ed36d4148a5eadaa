"""Keep actor processes small: 112 MiB with pandas, 68 without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import ROOT

HEAVY = ("apprise", "dash", "matplotlib", "numba", "pandas", "plotly", "polars")

PROGRAM = f"""
import importlib, pkgutil, sys
import actors
def fail(name):
    raise ImportError(name)
names = ["actors", *(m.name for m in pkgutil.walk_packages(actors.__path__, "actors.", onerror=fail))]
for name in names:
    importlib.import_module(name)
    heavy = [h for h in {HEAVY!r} if sys.modules.get(h) is not None]
    if heavy:
        sys.exit(f"{{name}} loads {{', '.join(heavy)}}")
print(len(names))
"""


def _import_actors(root: Path) -> subprocess.CompletedProcess[str]:
    """Import every module of `actors` in a fresh interpreter, as an actor's process does."""
    environment = {**os.environ, "PYTHONPATH": str(root), "TRADING_MODE": "PAPER"}
    environment.pop("COVERAGE_PROCESS_START", None)
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_importing_every_actor_module_loads_nothing_heavy() -> None:
    run = _import_actors(ROOT)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.splitlines()[-1]) == len(list((ROOT / "actors").rglob("*.py")))


def test_heavy_import_behind_another_module_is_found(tmp_path: Path) -> None:
    (tmp_path / "actors" / "brokers").mkdir(parents=True)
    (tmp_path / "actors" / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "actors" / "brokers" / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "actors" / "brokers" / "paper.py").write_text("import calendars\n", encoding="utf-8")
    (tmp_path / "calendars.py").write_text("import pandas\n", encoding="utf-8")
    run = _import_actors(tmp_path)
    assert run.returncode == 1
    assert "actors.brokers.paper loads pandas" in run.stderr


def test_module_that_cannot_be_imported_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "actors").mkdir()
    (tmp_path / "actors" / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "actors" / "gone.py").write_text("import no_such_library\n", encoding="utf-8")
    run = _import_actors(tmp_path)
    assert run.returncode == 1
    assert "no_such_library" in run.stderr


NEEDLESS = ("cryptography", "pyarrow", "sqlalchemy", "storage.journal")


def test_a_strategys_process_loads_no_database() -> None:
    """Its host and its factory: 19 MiB a process, and there are as many processes as strategies."""
    program = (
        "import sys, supervisor.ray_actor, actors.strategy_roles\n"
        f"print([name for name in {NEEDLESS!r} if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.stdout.strip() == "[]", run.stderr


def test_factories_that_write_do_load_one() -> None:
    program = "import sys, actors.roles\nprint('sqlalchemy' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.stdout.strip() == "True", run.stderr


def test_asking_a_running_engine_loads_no_database() -> None:
    """`breakwater status` answers within 200 ms, of which most is Python's own start."""
    program = (
        "import sys, cli.app, cli.status\n"
        "needless = ('cli.run', 'cryptography', 'numpy', 'pydantic', 'ray', 'rich.console', 'sqlalchemy')\n"
        "print([name for name in needless if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.stdout.strip() == "[]", run.stderr
