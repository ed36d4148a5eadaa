"""Ray and inline trade alike, to the last order, fill and digest, wherever they run ("Shows" 1 to 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from storage.audit.keys import load_signer
from storage.audit.verify import verify_trail
from tests.scenario.bars import thin_market
from tests.scenario.engine import differences, run_json
from tests.scenario.processes import Traces
from tests.scenario.settings import tight

pytestmark = pytest.mark.ray

SHADOWS = ("config.py", "ui/__init__.py", "domain/__init__.py", "simulation/__init__.py", "ray.py", "json.py")
"""What somebody may have where they give the command."""

MINUTES = ("--symbols", "AZO,TDG,GWW", "--from", "2024-01-03", "--to", "2024-01-03")
HOURS = ("--symbols", "BTC/USD@coinbase", "--from", "2018-01-10", "--to", "2018-01-14")


class Pair(NamedTuple):
    """Hold the same session on both runtimes: what each printed, its state directory, its home, what it left."""

    inline: dict[str, Any]
    ray: dict[str, Any]
    state: Path
    home: Path
    left: list[str]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Run on Ray in a hostile place: shadowing files, an empty home, a long state path with spaces behind a link."""
    folder = tmp_path_factory.mktemp("agree")
    data, config = thin_market(folder / "bars.csv"), tight(folder / "config")
    state = folder / "a state directory" / ("long " * 30).strip()
    state.parent.mkdir()
    (folder / "linked").symlink_to(state.parent, target_is_directory=True)
    home, place = folder / "home", folder / "place"
    home.mkdir()
    shadow(place)
    traces = Traces(folder)
    ray = run_json(
        *("--data", data, "--config", config, "--state", Path("..", "linked", state.name)),
        cwd=place,
        env={**traces.environment, "HOME": str(home)},
    )
    left = traces.left()
    inline = run_json("--data", data, "--config", config, "--state", folder / "inline", "--runtime", "inline")
    return Pair(inline, ray, state, home, left)


def shadow(folder: Path) -> None:
    """Fill `folder` with modules named like the engine's own, which end whoever imports them."""
    for name in SHADOWS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("raise SystemExit(f'{__file__} was imported')\n", encoding="utf-8")


def test_ray_and_inline_agree_to_the_last_order_and_fill(pair: Pair) -> None:
    assert not differences(pair.inline, pair.ray)
    assert (pair.inline["runtime"], pair.ray["runtime"]) == ("inline", "ray")
    assert pair.ray["audit"]["decisions_digest"] == pair.inline["audit"]["decisions_digest"]
    assert pair.ray["details"] == pair.inline["details"]


def test_what_agreed_was_worth_comparing(pair: Pair) -> None:
    """Orders filled in part, halts at both rungs and resumes by the rule took part."""
    details = pair.ray["details"]
    assert len(details["orders"]) > 40
    assert len({fill["order_ref"] for fill in details["fills"]}) < len(details["fills"])
    assert {halt["rung"] for halt in pair.ray["halt_list"]} == {"REDUCING", "HALTED"}
    assert pair.ray["resumes_by_rule"] > 0
    assert pair.ray["refused"]


def test_trail_of_the_run_on_ray_verifies_with_the_users_key(pair: Pair) -> None:
    """The key lies in the user's own folder, which was empty ("Shows" 5)."""
    (key,) = (path for path in pair.home.rglob("*") if path.is_file())
    found = verify_trail(pair.state / "audit", load_signer({}, key).verifier)
    assert found.finding is None
    assert found.records == pair.ray["audit"]["events"]
    assert found.signed_seq == found.records


def test_nothing_is_left_but_the_state_directory_and_the_key(pair: Pair) -> None:
    """No process, no file in /tmp, none in the working directory."""
    assert not pair.left
    place = pair.state.parents[1] / "place"
    assert sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()) == sorted(
        SHADOWS
    )
    assert len([path for path in pair.home.rglob("*") if path.is_file()]) == 1


def test_a_second_inline_run_is_the_same_in_that_place_too(pair: Pair, tmp_path: Path) -> None:
    folder = pair.state.parents[1]
    again = run_json(
        *(
            "--data",
            folder / "bars.csv",
            "--config",
            folder / "config",
            "--state",
            "here",
            "--runtime",
            "inline",
        ),
        cwd=folder / "place",
        env={"HOME": str(tmp_path), "BREAKWATER_STATE": str(tmp_path / "never")},
    )
    assert not differences(pair.inline, again)
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize(
    ("file", "choice"), [("us_equity_1m.parquet", MINUTES), ("crypto_spot_1h.parquet", HOURS)]
)
def test_bars_shorter_than_a_day_agree_too(
    file: str, choice: Sequence[str], data_file: Callable[[str], Path], tmp_path: Path
) -> None:
    """Minutes are sparse as they are; an hour of a currency pair is a bar round the clock ("Shows" 3)."""
    data = data_file(file)
    ray, inline = (
        run_json("--data", data, *choice, "--state", tmp_path / runtime, "--runtime", runtime)
        for runtime in ("ray", "inline")
    )
    assert not differences(inline, ray)
    assert ray["trades"] > 0
    assert ray["halts"] == 0


@pytest.mark.prove
def test_ten_years_of_real_daily_bars_agree_and_repeat(
    data_file: Callable[[str], Path], tmp_path: Path
) -> None:
    """Give the same session four times ("Shows" 2)."""
    choice = ("--symbols", "AAPL,XOM,KO,PEP,JPM", "--from", "2005-01-01", "--to", "2014-12-31")
    first, *others = (
        run_json(
            "--data",
            data_file("us_equity_1d.parquet"),
            *choice,
            "--state",
            tmp_path / f"{i}",
            "--runtime",
            runtime,
        )
        for i, runtime in enumerate(("inline", "ray", "inline", "ray"))
    )
    assert first["trades"] > 500
    for other in others:
        assert not differences(first, other)
