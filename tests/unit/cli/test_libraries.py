"""A library that cannot be loaded is named, whichever it is and whoever asked for it (exit code 4)."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.libraries import library_fault
from tests.scenario.engine import breakwater
from tests.unit.cli.conftest import Invoke

LINKED = "libarrow.so.9: cannot open shared object file: No such file or directory"


def package(folder: Path, name: str, source: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(source, encoding="utf-8")
    return folder


def failure(name: str) -> ImportError | OSError:
    try:
        importlib.import_module(name)
    except (ImportError, OSError) as error:
        return error
    raise AssertionError(f"{name} was imported")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (f"raise ImportError({LINKED!r})", rf"the library broken_lib cannot be loaded \({LINKED}\)"),
        (
            "import ctypes; ctypes.CDLL('libnone.so.9')",
            r"the library broken_lib cannot be loaded \(libnone.so.9",
        ),
        ("import not_there_at_all", r"the library not_there_at_all cannot be loaded \(No module named"),
        ("from yaml import nothing_like_it", r"the library PyYAML cannot be loaded \(cannot import name"),
        (
            "try:\n    import not_there_at_all\nexcept ImportError as e:\n    raise ImportError('ADVICE') from e",
            r"the library not_there_at_all cannot be loaded \(No module named",
        ),
    ],
)
def test_library_is_named_with_the_first_cause(
    source: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(package(tmp_path, "broken_lib", source))
    fault = library_fault(failure("broken_lib"))
    assert fault is not None
    assert fault.exit_code == 4
    with pytest.raises(type(fault), match=f"{words}.*install it again: `make clean setup`"):
        raise fault


def test_extension_that_the_linker_refuses_is_told_by_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The linker's error names the module by its last part alone."""
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    package(tmp_path, "broken_lib", "import broken_lib._core\n")
    (tmp_path / "broken_lib" / f"_core{suffix}").write_bytes(b"\x7fELF, not really")
    monkeypatch.syspath_prepend(tmp_path)
    assert str(library_fault(failure("broken_lib"))).startswith("the library broken_lib cannot be loaded")


def test_module_that_python_itself_lacks_needs_another_python() -> None:
    assert "another one: `make clean setup PYTHON=" in str(library_fault(ImportError("none", name="sqlite3")))


def test_faults_of_our_own_and_of_files_are_left_as_they_are(tmp_path: Path) -> None:
    assert library_fault(ImportError("cannot import name 'x'", name="cli.run")) is None
    with pytest.raises(OSError, match="absent") as caught:
        (tmp_path / "absent").read_bytes()
    assert library_fault(caught.value) is None


@pytest.mark.parametrize("command", ["run", "data describe", "audit verify", "orders list"])
def test_every_command_says_it_in_one_sentence_and_as_json(command: str, tmp_path: Path) -> None:
    """In the driver's own imports, in a group's and in a command's, before a state directory is made."""
    library = {"run": "pyarrow", "data describe": "pyarrow", "audit verify": "cryptography"}.get(
        command, "sqlalchemy"
    )
    place = package(tmp_path / "broken", library, f"raise ImportError({LINKED!r})\n")
    options = [tmp_path / "bars.csv"] if command == "data describe" else ["--state", tmp_path / "state"]
    done = breakwater(*command.split(), *options, "--json", env={"PYTHONPATH": str(place)})
    assert done.returncode == 4, done.stderr
    said = json.loads(done.stdout)
    assert (said["error"]["kind"], said["exit_code"]) == ("EnvironmentFault", 4)
    assert LINKED in said["error"]["message"]
    assert LINKED in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "state").exists()


def test_module_of_our_own_that_is_missing_is_our_own_fault(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cli.opening", None)
    monkeypatch.delitem(sys.modules, "cli.session", raising=False)
    result = invoke("run", "--runtime", "inline", "--state", tmp_path / "state")
    assert isinstance(result.exception, ImportError)


def test_module_of_somebody_elses_in_the_place_of_ours_is_named(tmp_path: Path) -> None:
    """PYTHONPATH=. in a folder with a config.py of its own."""
    (tmp_path / "config.py").write_text("X = 1\n", encoding="utf-8")
    command = [sys.executable, "-c", "from cli.main import main; main()", "config", "validate"]
    root = str(Path(__file__).parents[3])
    path = os.pathsep.join([str(tmp_path), root])
    ended = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 4
    assert ended.stderr == (
        f"breakwater: {tmp_path / 'config.py'} is found before Breakwater's own package 'config'; take its folder out "
        f"of PYTHONPATH, or give it another name\n"
    )
