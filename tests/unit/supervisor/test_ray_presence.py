"""Ray is tried in a process of its own; other modules stand in for it here, for no unit test may start Ray."""

from __future__ import annotations

import time

import pytest

from domain.errors import EnvironmentFault
from supervisor.ray_presence import trying_ray


def test_what_can_be_imported_passes() -> None:
    with trying_ray("json", "import json") as await_import:
        await_import()


def test_what_is_not_installed_is_said_before_anything_is_tried() -> None:
    with (
        pytest.raises(EnvironmentFault, match=r"Ray is not installed; .*--runtime inline"),
        trying_ray("no_ray"),
    ):
        pass


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "raise ImportError('libx.so.1: cannot open shared object file')",
            r"ImportError: libx\.so\.1: cannot",
        ),
        ("import os; os._exit(3)", "exit code 3"),
        ("import os; os.abort()", "signal 6"),
    ],
)
def test_what_fails_to_import_is_told_in_its_own_words(statement: str, words: str) -> None:
    with (
        trying_ray("json", statement) as await_import,
        pytest.raises(EnvironmentFault, match=words) as refused,
    ):
        await_import()
    assert "make clean setup" in str(refused.value)


def test_what_never_comes_back_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.ray_presence.DEADLINE_S", 0.2)
    refused = pytest.raises(EnvironmentFault, match=r"not imported within 0\.2 s")
    with trying_ray("json", "import time; time.sleep(60)") as await_import, refused:
        await_import()


def test_nobody_waits_for_an_answer_that_nobody_asks_for() -> None:
    began = time.monotonic()
    with trying_ray("json", "import time; time.sleep(60)"):
        pass
    assert time.monotonic() - began < 30.0
