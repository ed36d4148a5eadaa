"""What configuration makes of the roles."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from actors.clock import SystemClock
from cli.composition import INLINE_PACE, inline_specs, ray_specs
from cli.opening import open_session
from cli.sharing import most_roles, most_strategy_roles
from domain.messages import AUDIT
from domain.ports import Supervisor
from storage.commit_group import REDO, CommitGroup
from tests.scenario.bars import thin_market
from tests.scenario.engine import request
from tests.scenario.settings import write_config


def nobody() -> Supervisor:
    raise AssertionError("nothing is started here")


def test_every_mailbox_has_the_configured_bound(tmp_path: Path) -> None:
    config = write_config(tmp_path / "config", "engine.yaml", {"runtime.mailbox_bound": 1_234})
    asked = request(thin_market(tmp_path / "bars.csv"), tmp_path / "state", config=config)
    with open_session(asked, dict(os.environ), SystemClock()) as opened:
        group = CommitGroup(tmp_path / REDO)
        specs = (*ray_specs(opened.plan), *inline_specs(opened.plan, object(), group, nobody))
        group.close()
    assert {spec.queue for spec in specs} == {1_234}


@pytest.mark.parametrize("speed", [0.0, 50.0])
def test_inline_engine_at_a_pace_keeps_records_as_one_that_trades_does(tmp_path: Path, speed: float) -> None:
    """Between two bars there may be hours, and a kill must not cost what came before."""
    asked = replace(request(thin_market(tmp_path / "bars.csv"), tmp_path / "state"), speed=speed)
    with open_session(asked, dict(os.environ), SystemClock()) as opened:
        group = CommitGroup(tmp_path / REDO)
        (audit,) = (spec for spec in inline_specs(opened.plan, object(), group, nobody) if spec.role == AUDIT)
        group.close()
        assert audit.arguments["pace"] == (opened.plan.live_pace() if speed else INLINE_PACE)
    assert opened.plan.live_pace() != INLINE_PACE


@pytest.mark.parametrize(("per_actor", "actors"), [(1, 6), (4, 2)])
def test_as_many_roles_as_the_memory_check_counts_run_on_ray(
    per_actor: int, actors: int, tmp_path: Path
) -> None:
    config = write_config(tmp_path / "config", "engine.yaml", {"supervision.strategies_per_actor": per_actor})
    asked = request(thin_market(tmp_path / "bars.csv"), tmp_path / "state", config=config)
    with open_session(asked, dict(os.environ), SystemClock()) as opened:
        assert most_strategy_roles(opened.plan.settings) == actors
        specs = ray_specs(opened.plan)
    assert len(specs) == most_roles(opened.plan.settings)
    mib = opened.plan.settings.engine.supervision.strategy_memory_mib
    bounds = [spec.most_rss_bytes // 2**20 for spec in specs if spec.strategies]
    assert bounds == [mib * len(spec.strategies) for spec in specs if spec.strategies]
    assert sum(bounds) == 6 * mib
