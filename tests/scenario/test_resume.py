"""A session stopped anywhere and resumed is the session that was never stopped ("Shows" 2 and 6; B3)."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cli.inline_engine import InlineEngine
from cli.opening import RunRequest
from cli.session import ENGINES
from domain.errors import StateError
from tests.scenario.bars import SYMBOLS, market, rows, thin_market, write_csv
from tests.scenario.engine import differences, request, session
from tests.scenario.settings import tight
from tests.sizes import prove_size

FINE = 3
"""Messages between two looks for a signal, so that a stop falls between any two of them or nearly so."""
LOOKS = 900
STOPS = prove_size(6, 200)


class Reference(NamedTuple):
    """Hold what was run without a stop: its bars, its configuration and its summary."""

    data: Path
    config: Path
    summary: dict[str, Any]


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.inline_engine._SLICE", FINE)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    folder = tmp_path_factory.mktemp("reference")
    data, config = thin_market(folder / "bars.csv"), tight(folder / "config")
    return Reference(data, config, session(request(data, folder / "state", config=config)))


def test_reference_fills_in_parts_halts_and_resumes_by_the_rule(reference: Reference) -> None:
    """Otherwise the tests below would prove less than they say."""
    details = reference.summary["details"]
    parts = Counter(fill["order_ref"] for fill in details["fills"])
    assert max(parts.values()) > 1
    assert {halt["rung"] for halt in reference.summary["halt_list"]} == {"REDUCING", "HALTED"}
    assert reference.summary["resumes_by_rule"] > 0
    assert reference.summary["trades"] > 10


@pytest.mark.parametrize("seed", range(STOPS))
def test_session_stopped_up_to_three_times_equals_one_never_stopped(
    seed: int, reference: Reference, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    asked = request(reference.data, tmp_path / "state", config=reference.config)
    for _ in range(chance.randint(1, 3)):
        session(asked, stop_at_look=chance.randrange(LOOKS))
    assert not differences(reference.summary, session(asked)), f"seed {seed}"


def test_stop_during_a_halt_keeps_the_count_of_its_sessions(reference: Reference, tmp_path: Path) -> None:
    """The rule resume_after_sessions counts on over the stop, neither from its start again nor from the stop (B4)."""
    halted = reference.summary["halt_list"][0]["bar"]
    asked, _ = stopped_after(halted + 3, reference, tmp_path)
    resumed = session(asked)
    assert resumed["resumes_by_rule"] == reference.summary["resumes_by_rule"]
    assert not differences(reference.summary, resumed)


def test_order_filled_in_part_works_on_over_a_stop(reference: Reference, tmp_path: Path) -> None:
    fills = reference.summary["details"]["fills"]
    ref, _ = Counter(fill["order_ref"] for fill in fills).most_common(1)[0]
    first, *later = (fill["bar"] for fill in fills if fill["order_ref"] == ref)
    assert later
    asked, stopped = stopped_after(first, reference, tmp_path)
    (order,) = (order for order in stopped["details"]["orders"] if order["order_ref"] == ref)
    assert 0 < order["filled_lots"] < order["lots"]
    assert not differences(reference.summary, session(asked))


def stopped_after(bar: int, reference: Reference, folder: Path) -> tuple[RunRequest, dict[str, Any]]:
    """Return a session that was stopped after `bar` settled: its request and its summary."""
    a_bar = LOOKS // reference.summary["bars"]
    look = a_bar * (bar - 5)
    while look < 2 * LOOKS:
        asked = request(reference.data, folder / f"state{look}", config=reference.config)
        stopped = session(asked, stop_at_look=look)
        if stopped["bars"] > bar:
            assert stopped["bars"] == bar + 1, "the step between looks is too coarse"
            return asked, stopped
        look += max(2, (a_bar - 1) * (bar - stopped["bars"]))
    raise AssertionError(f"no stop after bar {bar}")


def test_summary_counts_what_the_trail_tells_of_further_starts(reference: Reference, tmp_path: Path) -> None:
    asked = request(reference.data, tmp_path / "state", config=reference.config)
    counts = [session(asked, stop_at_look=look)["restarts"] for look in (200, 300)]
    counts += [session(asked)["restarts"] for _ in range(2)]
    assert counts == [0, 1, 2, 2], "the last found nothing to do and started nothing"
    assert reference.summary["restarts"] == 0


def test_summary_names_the_runtime_that_ran_it(
    reference: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session may be resumed on the other runtime; this test needs no Ray to say so."""
    monkeypatch.setitem(ENGINES, "ray", InlineEngine)
    asked = request(reference.data, tmp_path / "state", config=reference.config)
    assert session(asked, stop_at_look=300)["runtime"] == "inline"
    assert session(replace(asked, runtime="ray"))["runtime"] == "ray"


def test_completed_session_run_again_reports_and_does_nothing(tmp_path: Path) -> None:
    asked = request(write_csv(tmp_path / "bars.csv", rows(market())), tmp_path / "state")
    first = session(asked)
    before = _contents(asked.state)
    again = session(asked)
    assert again["completed"]
    assert again["elapsed_s"] is None
    assert not differences(first, again)
    assert again["audit"] == first["audit"], "not even the trail grows"
    assert _contents(asked.state) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("data", "the bars (--data, --symbols, --to, or the file itself) changed"),
        ("symbols", "the bars (--data, --symbols, --to, or the file itself) changed"),
        ("config", "the configuration (--config, or a file in it) changed"),
        ("both", "the file itself) and the configuration (--config, or a file in it) changed"),
    ],
)
def test_changed_inputs_are_named_and_refused(
    change: str, words: str, reference: Reference, tmp_path: Path
) -> None:
    data = write_csv(tmp_path / "bars.csv", rows(market()))
    asked = request(data, tmp_path / "state")
    session(asked, stop_at_look=300)
    config = reference.config if change in ("config", "both") else None
    if change in ("data", "both"):
        write_csv(data, rows(market())[:-3])
    symbols = SYMBOLS[:2] if change == "symbols" else None
    before = _contents(asked.state)
    with pytest.raises(StateError, match=re.escape(words)) as refused:
        session(request(data, asked.state, config=config, symbols=symbols))
    assert "--fresh" in str(refused.value)
    assert _contents(asked.state) == before


def test_fresh_archives_the_session_and_counts_on(tmp_path: Path) -> None:
    asked = request(write_csv(tmp_path / "bars.csv", rows(market())), tmp_path / "state")
    stopped = session(asked, stop_at_look=300)
    archived = _contents(asked.state)
    anew = session(replace(asked, fresh=True))
    assert (stopped["session"], anew["session"]) == (1, 2)
    assert anew["completed"]
    assert not anew["resumed"]
    (place,) = (asked.state / "archive").iterdir()
    found, here = _contents(asked.state), str(place.relative_to(asked.state))
    assert {name: text for name, text in archived.items() if name != "breakwater.json"} == {
        name.removeprefix(f"{here}/"): text for name, text in found.items() if name.startswith(here)
    }


@pytest.mark.parametrize("ahead", [1, 40])
def test_session_file_ahead_of_the_databases_is_refused_and_passes_over_no_bar(
    ahead: int, reference: Reference, tmp_path: Path
) -> None:
    asked, stopped = stopped_after(20, reference, tmp_path)
    last = stopped["bars"] - 1
    rewrite(asked.state, bar=last + ahead)
    before = _contents(asked.state)
    found = (
        f"session.json: found bar {last + ahead} as the last that settled, but the last that "
        f"{asked.state / 'risk.db'} tells of is {last}"
    )
    with pytest.raises(StateError, match=re.escape(found)):
        session(asked)
    assert _contents(asked.state) == before
    rewrite(asked.state, bar=last)
    assert not differences(reference.summary, session(asked))


def test_session_file_behind_the_databases_is_a_crashs_and_they_are_believed(
    reference: Reference, tmp_path: Path
) -> None:
    asked, _ = stopped_after(20, reference, tmp_path)
    rewrite(asked.state, bar=-1)
    assert not differences(reference.summary, session(asked))


def test_session_file_that_tells_of_bars_before_any_was_decided_is_refused(
    reference: Reference, tmp_path: Path
) -> None:
    asked = request(reference.data, tmp_path / "state", config=reference.config)
    assert session(asked, stop_at_look=0)["bars"] == 0
    rewrite(asked.state, bar=0)
    with pytest.raises(
        StateError, match=r"found bar 0 .* tells of no bar decided \(the first to trade is 0\)"
    ):
        session(asked)
    rewrite(asked.state, bar=-1)
    assert not differences(reference.summary, session(asked))


def test_session_that_says_it_completed_before_its_bars_end_is_refused(
    reference: Reference, tmp_path: Path
) -> None:
    asked, stopped = stopped_after(20, reference, tmp_path)
    rewrite(asked.state, completed=True)
    words = f"a completed session whose last settled bar is {stopped['bars'] - 1}"
    with pytest.raises(StateError, match=re.escape(words)):
        session(asked)


def rewrite(state: Path, **values: object) -> None:
    """Change values of session.json, as a person with an editor would."""
    path = state / "session.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **values}), encoding="utf-8")


def _contents(folder: Path) -> dict[str, bytes]:
    """Return the content of every file that is kept (a database's shared-memory index is not)."""
    files = (
        path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    )
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.name != "lock"}
