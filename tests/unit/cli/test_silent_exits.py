"""A process that trades does not end with exit code 0 in the midst of it."""

from __future__ import annotations

import os

import pytest

from cli.silent_exits import refusing_silent_exits


def exit_code_of_a_child(status: int, *, guarded_within: bool) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            if guarded_within:
                with refusing_silent_exits():
                    os._exit(status)
            os._exit(status)
        except RuntimeError:
            os.kill(os.getpid(), 9)
        finally:
            os.kill(os.getpid(), 15)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_exit_with_0_raises_while_guarded_and_ends_the_process_after() -> None:
    with refusing_silent_exits(), pytest.raises(RuntimeError, match=r"os\._exit\(0\) was called"):
        os._exit(0)
    assert exit_code_of_a_child(0, guarded_within=False) == 0
    assert exit_code_of_a_child(0, guarded_within=True) == -9


def test_other_codes_and_forked_processes_are_left_alone() -> None:
    assert exit_code_of_a_child(7, guarded_within=True) == 7
    with refusing_silent_exits():
        assert exit_code_of_a_child(0, guarded_within=False) == 0
