"""An inline engine killed anywhere goes on without a lost fill or a doubled order (I1 to I3)."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenario.bars import thin_market
from tests.scenario.books import assert_booked_once, assert_positions_told, lost_on_the_way
from tests.scenario.engine import differences, environment, request, session
from tests.scenario.settings import tight
from tests.sizes import prove_size

MESSAGES = 2_700
SEED = 4_711

SCRIPT = """
import os, sys
import cli.composition, cli.inline_engine
from domain.audit_machine import AuditPace

# A long backtest commits now and then, a short one only at its end: let this one commit as often as a long one.
cli.composition.INLINE_PACE = AuditPace(batch_events={batch}, batch_s=3_600.0, resync_s=0.0)
cli.inline_engine._SLICE = 1
advance, left = cli.inline_engine.InlineEngine.advance, [{after}]

def advance_or_die(engine):
    left[0] -= 1
    if left[0] < 0:
        os._exit(9)
    return advance(engine)

cli.inline_engine.InlineEngine.advance = advance_or_die
from cli.main import main
main()
"""


@pytest.mark.parametrize("seed", range(SEED, SEED + prove_size(4, 200)))
def test_inline_engine_killed_between_any_two_messages_goes_on(seed: int, tmp_path: Path) -> None:
    """Ends equal to the run never killed, unless an order was caught on its way: that one is given up, by name."""
    chance = random.Random(seed)
    data, config, state = thin_market(tmp_path / "bars.csv"), tight(tmp_path / "config"), tmp_path / "state"
    expected = session(request(data, tmp_path / "never killed", config=config))
    for _ in range(chance.randint(1, 2)):
        script = SCRIPT.format(batch=chance.choice((5, 40, 150)), after=chance.randrange(MESSAGES))
        arguments = ("run", "--runtime", "inline", "--data", data, "--config", config, "--state", state)
        command = [sys.executable, "-P", "-c", script, *(str(argument) for argument in arguments)]
        done = subprocess.run(
            command, env=environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode in (0, 9), f"seed {seed}: {done.stderr}"
    last = session(request(data, state, config=config))
    assert last["completed"]
    assert_booked_once(state)
    assert_positions_told(state)
    if not lost_on_the_way(last):
        assert not differences(expected, last), f"seed {seed}"
