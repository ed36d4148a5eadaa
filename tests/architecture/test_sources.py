"""Hold every production module to the rules that can be read off its syntax tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture import walkers
from tests.architecture.tree import ROOT, ill_named, packages, project, sources

RAY_ALLOWED = ("supervisor/ray_runtime.py", "simulation/sweep")


def _break(rule: walkers.Walker, paths: list[Path]) -> list[str]:
    assert paths, "no source was found: the walk itself is broken"
    return [
        f"{path}:{hit.line}: {hit.found}"
        for path in paths
        for hit in rule((ROOT / path).read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(
    "rule",
    [
        walkers.asserts,
        walkers.long_module,
        walkers.long_functions,
        walkers.missing_docstrings,
        walkers.unannotated,
    ],
)
def test_every_production_module_keeps_the_rule(rule: walkers.Walker) -> None:
    """F3: under 300 lines, functions of at most 40, types and docstrings on every public name."""
    assert _break(rule, list(sources())) == []


def test_nothing_outside_simulation_is_random() -> None:
    """A1: no random or made-up signal, price or fill outside `simulation/`."""
    elsewhere = [path for path in sources() if path.parts[0] != "simulation"]
    assert _break(walkers.randomness, elsewhere) == []


@pytest.mark.parametrize("rule", [walkers.wall_clock, walkers.input_output, walkers.foreign_imports])
def test_the_domain_is_pure(rule: walkers.Walker) -> None:
    assert _break(rule, list(sources("domain"))) == []


def test_ray_is_imported_only_where_it_may_be() -> None:
    elsewhere = [path for path in sources() if not path.as_posix().startswith(RAY_ALLOWED)]
    assert _break(walkers.ray_imports, elsewhere) == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [str(path) for path in sources() if ill_named(path)] == []


@pytest.mark.parametrize(
    ("where", "listed"),
    [
        ("wheel", ["tool", "hatch", "build", "targets", "wheel", "packages"]),
        ("coverage", ["tool", "coverage", "run", "source"]),
        ("import-linter", ["tool", "importlinter", "root_packages"]),
    ],
)
def test_every_package_is_built_measured_and_checked(where: str, listed: list[str]) -> None:
    """A package that is left out of a list would be left out of the wheel, the gates or the contracts unseen."""
    table = project()
    for key in listed:
        table = table[key]
    assert sorted(table) == packages(), where
