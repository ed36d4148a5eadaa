"""Check the runner of the benchmarks."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import available, main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one benchmark that holds its floor and one that misses it."""
    benchmarks = tmp_path / "measures"
    benchmarks.mkdir()
    (benchmarks / "__init__.py").write_text("", encoding="utf-8")
    (benchmarks / "bench_audit.py").write_text("print('fast')\n", encoding="utf-8")
    (benchmarks / "bench_kernel.py").write_text("raise SystemExit(1)\n", encoding="utf-8")
    return benchmarks


def test_benchmarks_are_found_by_their_name(folder: Path) -> None:
    assert available(folder) == ["audit", "kernel"]


@pytest.mark.parametrize(("names", "code"), [(["audit"], 0), (["kernel"], 1), ([], 1), (["speed"], 2)])
def test_exit_code_says_whether_the_floors_hold(folder: Path, names: list[str], code: int) -> None:
    assert main(names, folder) == code


def test_a_missed_floor_does_not_stop_the_others_and_is_named(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["kernel", "audit"], folder) == 1
    shown = capfd.readouterr()
    assert "fast" in shown.out
    assert "missed: kernel (exit 1)" in shown.err


def test_unknown_name_is_answered_with_those_there_are(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["speed"], folder) == 2
    assert "no benchmark speed; there are: audit, kernel" in capsys.readouterr().err
