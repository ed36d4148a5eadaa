"""A message that is lost between two roles is asked for again: the run neither stalls nor decides otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.halt_messages import HaltReviewed, LatchChanged, LatchHeld, RaiseHalt, ReviewHalt
from domain.messages import JournalUpdate, RequestJournal
from simulation.inline import InlineRuntime
from tests.scenario.bars import thin_market
from tests.scenario.engine import differences, request, session
from tests.scenario.settings import tight


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """Return bars, a configuration under which they halt and resume, and the summary of a run that lost nothing."""
    folder = tmp_path_factory.mktemp("whole")
    data, config = thin_market(folder / "bars.csv"), tight(folder / "config")
    summary = session(request(data, folder / "state", config=config))
    assert summary["resumes_by_rule"] > 0
    return data, config, summary


def lost(message: Any) -> bool:
    """Return whether `message` ends a wait: the announcement that lowers the latch, the end of the journal."""
    if isinstance(message, JournalUpdate):
        return message.last
    if isinstance(message, LatchChanged):
        return message.lowers
    return True


ASKED = (RequestJournal, JournalUpdate, ReviewHalt, LatchChanged, LatchHeld, HaltReviewed)


@pytest.mark.parametrize(
    ("kind", "times"), [*((kind, times) for kind in ASKED for times in (1, 2)), (RaiseHalt, 1)]
)
def test_run_that_loses_messages_decides_as_one_that_loses_none(
    kind: type[Any],
    times: int,
    whole: tuple[Path, Path, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, config, expected = whole
    left = [times]
    carry = InlineRuntime._route

    def lossy(runtime: InlineRuntime, to: str, message: Any, control: bool) -> None:
        if isinstance(message, kind) and lost(message) and left[0]:
            left[0] -= 1
        else:
            carry(runtime, to, message, control)

    monkeypatch.setattr(InlineRuntime, "_route", lossy)
    summary = session(request(data, tmp_path / "state", config=config))
    assert left == [0], "nothing was lost"
    assert not differences(expected, summary)
