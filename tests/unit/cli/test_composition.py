"""What configuration makes of the roles."""

from __future__ import annotations

import os
from pathlib import Path

from actors.clock import SystemClock
from cli.composition import inline_specs, ray_specs
from cli.opening import open_session
from storage.commit_group import REDO, CommitGroup
from tests.scenario.bars import thin_market
from tests.scenario.engine import request
from tests.scenario.settings import write_config


def test_every_mailbox_has_the_configured_bound(tmp_path: Path) -> None:
    config = write_config(tmp_path / "config", "engine.yaml", {"runtime.mailbox_bound": 1_234})
    asked = request(thin_market(tmp_path / "bars.csv"), tmp_path / "state", config=config)
    with open_session(asked, dict(os.environ), SystemClock()) as opened:
        group = CommitGroup(tmp_path / REDO)
        specs = (*ray_specs(opened.plan), *inline_specs(opened.plan, object(), group))
        group.close()
    assert {spec.queue for spec in specs} == {1_234}
