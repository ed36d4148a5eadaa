"""A strategy's process stays whole whatever the strategy does to it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os
from actors.strategy_roles import WithStandardFiles

class Closes:
    def handle(self, message):
        os.close(1), os.close(2)
        return [message]
    def state(self):
        return {}

said = os.dup(1)
machine = WithStandardFiles(Closes())
for bar in range(3):
    assert machine.handle(bar) == [bar]
    opened = os.open(os.devnull, os.O_RDONLY)
    assert opened > 2, f"number {opened} would be closed at the next bar"
os.write(said, b"whole")
"""


def test_standard_files_that_a_strategy_closes_are_open_again() -> None:
    """Found by a checker: each bar then waited for a message that was lost with a closed socket."""
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (run.stdout, run.returncode) == ("whole", 0), run.stderr
