"""Keep our top-level packages ours: they have plain names such as `config`, and a user's folder may use them too."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, packages


def _installed() -> bool:
    return any(found.name == "breakwater" for found in metadata.distributions())


def test_no_library_brings_a_package_of_our_name() -> None:
    owners = metadata.packages_distributions()
    foreign = {name: [o for o in owners.get(name, []) if o != "breakwater"] for name in [*packages(), "ui"]}
    assert {name: found for name, found in foreign.items() if found} == {}


@pytest.mark.skipif(not _installed(), reason="needs the project installed: run `make test`")
def test_working_directory_with_packages_of_our_names_changes_nothing(tmp_path: Path) -> None:
    """A console script has its own folder on the path, not the working directory; `-P` starts Python the same way."""
    for name in packages():
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')\n", encoding="utf-8")
    (tmp_path / "ui").mkdir()
    program = f"import importlib; [print(importlib.import_module(n).__file__) for n in {packages()!r}]"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    run = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [str(ROOT / name / "__init__.py") for name in packages()]
