"""Find circular imports among modules (C5, F3), also those that Python happens to survive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import ROOT, packages

PROGRAM = """
import graphlib, sys
import grimp
graph = grimp.build_graph(*sys.argv[1:], cache_dir=None)
imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
try:
    graphlib.TopologicalSorter(imports).prepare()
except graphlib.CycleError as error:
    sys.exit(" -> ".join(error.args[1]))
print(len(imports))
"""


def _find_cycle(root: Path, names: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *names], cwd=root, capture_output=True, text=True, check=False
    )


def test_no_module_imports_itself_by_way_of_another() -> None:
    run = _find_cycle(ROOT, packages())
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) == sum(len(list((ROOT / name).rglob("*.py"))) for name in packages())


def test_cycle_across_packages_is_found(tmp_path: Path) -> None:
    for name, source in (
        ("left/a", "import right.b"),
        ("right/b", "import left.c"),
        ("left/c", "import left.a"),
    ):
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source + "\n", encoding="utf-8")
        (path.parent / "__init__.py").write_text("", encoding="utf-8")
    run = _find_cycle(tmp_path, ["left", "right"])
    assert run.returncode == 1
    assert all(module in run.stderr for module in ("left.a", "right.b", "left.c"))
