"""Hold the layers, and show that each contract finds a planted violation."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, packages, project

PLANTED = {
    "Layers": {"storage/x.py": "import actors.y", "actors/y.py": ""},
    "No circular import": {"config/p.py": "import config.q", "config/q.py": "import config.p"},
    "The domain is pure": {"domain/x.py": "import pandas"},
    "Ray is imported": {"actors/x.py": "import ray"},
    "Only simulation compiles": {"storage/x.py": "import numba"},
    "Actor processes stay lean": {"actors/x.py": "import storage.y", "storage/y.py": "import pandas"},
    "Strategies, risk and performance": {
        "domain/risk/x.py": "import domain.strategies.y",
        "domain/strategies/y.py": "",
    },
    "Production code needs no test library": {"cli/x.py": "import pytest"},
}


def _lint(tree: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=tree, capture_output=True, text=True, check=False
    )


def test_every_contract_is_kept() -> None:
    """F3, C5: the layers hold and no import is circular."""
    run = _lint(ROOT)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture
def bare_tree(tmp_path: Path) -> Path:
    """Return a project of empty packages under the real contracts."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in [*packages(), "domain/risk", "domain/strategies", "domain/performance"]:
        (tmp_path / package).mkdir(exist_ok=True)
        (tmp_path / package / "__init__.py").write_text('"""Be empty."""\n', encoding="utf-8")
    return tmp_path


def test_empty_packages_keep_every_contract(bare_tree: Path) -> None:
    run = _lint(bare_tree)
    assert run.returncode == 0, run.stdout + run.stderr
    assert " 0 broken" in run.stdout


@pytest.mark.parametrize("contract", PLANTED)
def test_planted_import_breaks_its_contract(bare_tree: Path, contract: str) -> None:
    for path, source in PLANTED[contract].items():
        (bare_tree / path).write_text(source + "\n", encoding="utf-8")
    run = _lint(bare_tree)
    verdicts = [line for line in run.stdout.splitlines() if line.startswith(contract)]
    assert run.returncode == 1, run.stdout + run.stderr
    assert verdicts[0].endswith("BROKEN"), run.stdout


def test_every_contract_has_a_planted_violation() -> None:
    names = [contract["name"] for contract in project()["tool"]["importlinter"]["contracts"]]
    unplanted = [name for name in names if not any(name.startswith(start) for start in PLANTED)]
    assert unplanted == []
