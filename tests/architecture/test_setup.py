"""Check what a newcomer meets: `make` alone, a machine without Python, without venv, without network."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, project

TOOLS = ("sh", "cat", "cksum", "head", "rm", "mkdir", "pwd")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return a checkout with `bin/`, the only folder on PATH: a shell, a few tools and no Python."""
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    (tmp_path / "requirements").mkdir()
    for path in (
        "pyproject.toml",
        "requirements/install.sh",
        "requirements/runtime.txt",
        "requirements/dev.txt",
    ):
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def _python(machine: Path, name: str, script: str, folder: str = "bin") -> Path:
    """Put a command on PATH that stands in for an interpreter."""
    path = machine / folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def _install(machine: Path, lock: str = "runtime", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(machine / "requirements" / "install.sh"), lock],
        cwd=machine,
        env={"PATH": str(machine / "bin"), "HOME": str(machine), **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _answers(version: str, supported: bool, venv: bool = True, pace_us: int = 0) -> str:
    """Return the script of a Python of `version` that answers the questions the installer asks."""
    return f"""case "$2" in
*platform*) echo {version} ;;
*base_prefix*) echo /elsewhere {version} ;;
*version_info*) exit {int(not supported)} ;;
*maxsize*) exit 0 ;;
*ensurepip*) exit {int(not venv)} ;;
*timeit*) echo {pace_us} ;;
*) echo "unexpected: $*" >&2; exit 9 ;;
esac"""


def test_without_any_python_it_says_which_and_how_to_install(machine: Path) -> None:
    run = _install(machine)
    assert run.returncode == 2
    assert "needs Python 3.11, 3.12 or 3.13" in run.stderr
    assert "no Python at all" in run.stderr
    assert "apt-get install" in run.stderr
    assert "brew install" in run.stderr
    assert not (machine / ".venv").exists()


def test_python_too_old_or_too_new_is_named_with_its_version(machine: Path) -> None:
    old = _python(machine, "python3", _answers("3.10.13", supported=False))
    new = _python(machine, "python", _answers("3.14.0", supported=False))
    run = _install(machine)
    assert run.returncode == 2
    assert f"{old} is Python 3.10.13" in run.stderr
    assert f"{new} is Python 3.14.0" in run.stderr


def test_interpreter_that_does_not_start_is_passed_over(machine: Path) -> None:
    broken = _python(machine, "python3.11", "echo 'command not found' >&2; exit 127")
    run = _install(machine)
    assert run.returncode == 2
    assert f"{broken} does not start" in run.stderr


def test_python_without_venv_names_the_package_to_install(machine: Path) -> None:
    _python(machine, "python3.12", _answers("3.12.3", supported=True, venv=False))
    run = _install(machine)
    assert run.returncode == 2
    assert "sudo apt-get install python3.12-venv" in run.stderr


def test_named_python_that_is_absent_is_refused(machine: Path) -> None:
    run = _install(machine, PYTHON="/nowhere/python3.12")
    assert run.returncode == 2
    assert "PYTHON=/nowhere/python3.12 will not do" in run.stderr
    assert "no such command" in run.stderr


def test_unknown_lock_is_a_usage_error(machine: Path) -> None:
    run = _install(machine, "everything")
    assert run.returncode == 2
    assert "usage" in run.stderr


@pytest.mark.parametrize(
    ("first_us", "second_us", "taken"),
    [(440, 270, "second"), (440, 400, "bin"), (270, 440, "bin"), (440, 0, "bin")],
)
def test_of_two_of_a_name_on_the_path_a_clearly_faster_build_is_taken(
    machine: Path, first_us: int, second_us: int, taken: str
) -> None:
    """The stand-ins make no environment: that they are asked to is what is looked at."""
    first = _python(machine, "python3.12", _answers("3.12.1", supported=True, pace_us=first_us))
    second = _python(machine, "python3.12", _answers("3.12.3", supported=True, pace_us=second_us), "second")
    run = _install(machine, PATH=f"{machine / 'bin'}:{second.parent}")
    wanted = second if taken == "second" else first
    assert f"Making .venv with {wanted} (" in run.stderr
    assert (f", a faster build than {first})" in run.stderr) is (taken == "second")


def test_named_python_is_the_one_that_the_shell_finds(machine: Path) -> None:
    first = _python(machine, "python3.12", _answers("3.12.1", supported=True, pace_us=440))
    second = _python(machine, "python3.12", _answers("3.12.3", supported=True, pace_us=100), "second")
    run = _install(machine, PATH=f"{machine / 'bin'}:{second.parent}", PYTHON="python3.12")
    assert f"Making .venv with {first} (3.12.1)" in run.stderr


def test_slower_version_that_is_asked_for_first_is_not_passed_over_for_another_version(machine: Path) -> None:
    first = _python(machine, "python3.11", _answers("3.11.7", supported=True, pace_us=440))
    _python(machine, "python3.12", _answers("3.12.3", supported=True, pace_us=100))
    assert f"Making .venv with {first} (3.11.7)" in _install(machine).stderr


def test_without_network_it_says_what_to_do_and_a_second_try_keeps_the_environment(machine: Path) -> None:
    """An index that refuses every connection stands for a machine without one."""
    offline = {"PYTHON": sys.executable, "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    offline |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
    first = _install(machine, **offline)
    assert first.returncode == 2
    assert "no network" in first.stderr
    assert "HTTPS_PROXY" in first.stderr
    assert not list((machine / ".venv").glob(".installed*"))
    second = _install(machine, **offline)
    assert "Making .venv" in first.stderr
    assert "Making .venv" not in second.stderr


def _wheel(folder: Path, name: str, version: str, requires: str = "") -> str:
    """Write a package of nothing but its name and return its line of a lock."""
    path, about = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        described = (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: toml\n{requires}"
        )
        wheel.writestr(f"{about}/METADATA", described)
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def test_release_newer_than_the_lock_that_an_extra_would_allow_is_passed_over(machine: Path) -> None:
    """An older pip resolves `measured[toml]>=1` to the newest release and then refuses it, for it has no hash."""
    lines = _wheel(machine, "measuring", "1.0", "Requires-Dist: measured[toml]>=1\n")
    lines += _wheel(machine, "measured", "1.0")
    _wheel(machine, "measured", "2.0")
    (machine / "requirements" / "runtime.txt").write_text(lines, encoding="utf-8")
    near = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(machine), "PIP_CONFIG_FILE": os.devnull}
    run = _install(machine, PYTHON=sys.executable, **near)
    assert "packages of requirements/runtime.txt could not be installed" not in run.stderr, run.stderr
    assert list((machine / ".venv").rglob("measured-1.0.dist-info"))
    assert not list((machine / ".venv").rglob("measured-2.0.dist-info"))


def test_environment_that_was_moved_is_made_anew(machine: Path) -> None:
    (machine / ".venv").mkdir()
    (machine / ".venv" / ".made-in").write_text("/elsewhere\n", encoding="utf-8")
    run = _install(machine)
    assert "making it anew" in run.stderr


def test_environment_made_with_another_python_than_the_named_one_is_made_anew(machine: Path) -> None:
    run = _install(machine, PYTHON=sys.executable, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0")
    assert "Making .venv" in run.stderr
    other = _python(machine, "python3.12", _answers("3.12.3", supported=True, venv=False))
    again = _install(machine, PYTHON=str(other))
    assert "made with another: making it anew" in again.stderr
    assert f"{other} is Python 3.12.3 without the module venv" in again.stderr


def test_make_alone_lists_every_target() -> None:
    run = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("run", "test", "lint", "bench", "prove", "setup", "clean"):
        assert f"make {target} " in run.stdout


@pytest.mark.parametrize("lock", ["runtime", "dev"])
def test_lock_pins_every_package_with_hashes_and_names_no_place(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^[A-Za-z0-9._-]+==[^\n]*\\\n    --hash=sha256:[0-9a-f]{64}", text, flags=re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[A-Za-z0-9]", text, flags=re.MULTILINE)) > 50
    assert not re.search(r"://|--(extra-)?index-url|--find-links|(^|\s)(/|file:)", text, flags=re.MULTILINE)


def test_both_locks_pin_the_same_versions() -> None:
    pins = [
        set(re.findall(r"^[A-Za-z0-9._-]+==\S+.*?(?= \\)", (ROOT / "requirements" / name).read_text(), re.M))
        for name in ("runtime.txt", "dev.txt")
    ]
    assert pins[0] < pins[1]


def test_every_dependency_is_locked() -> None:
    described = project()["project"]
    extras = described["optional-dependencies"]
    wanted = [*described["dependencies"], *extras["ib"], *extras["build"], *extras["dev"]]
    locked = set(re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements" / "dev.txt").read_text(), re.M))
    names = {re.split(r"[<>=\[ ]", text)[0].lower().replace("_", "-") for text in wanted}
    assert names <= locked
