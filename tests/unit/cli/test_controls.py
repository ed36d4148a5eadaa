from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cli.controls import SocketControls
from domain.commands import Verb
from domain.errors import Busy, CommandRefused
from domain.records import Rung
from storage.latch_file import LatchFile
from tests.unit.cli.conftest import Traded

NOWHERE = Path("nowhere")


class Asked:
    """Keep what was asked, and answer what it is given."""

    def __init__(self, **answer: Any) -> None:
        self.heard: list[dict[str, Any]] = []
        self.answer = {"ok": True, "effective": True, "detail": "the account is HALTED", **answer}

    def ask(self, verb: Verb, arguments: Mapping[str, Any] | None = None, **given: Any) -> Mapping[str, Any]:
        self.heard.append({"verb": verb, "arguments": arguments, **given})
        return self.answer


@pytest.mark.parametrize(("wish", "verb"), [("halt", Verb.HALT), ("resume", Verb.RESUME)])
def test_a_wish_goes_out_with_reason_mode_and_a_key_of_its_own(wish: str, verb: Verb) -> None:
    client = Asked()
    controls = SocketControls(client, "SIMULATION", NOWHERE)
    for _ in range(2):
        getattr(controls, wish)("fat finger")
    first, second = client.heard
    assert (first["verb"], first["reason"], first["mode"]) == (verb, "fat finger", "SIMULATION")
    assert first["key"] != second["key"]


@pytest.mark.parametrize(("effective", "word"), [(True, "effective"), (False, "acknowledged")])
def test_what_is_only_acknowledged_is_not_called_effective(effective: bool, word: str) -> None:
    controls = SocketControls(Asked(effective=effective), "SIMULATION", NOWHERE)
    assert controls.halt("why") == f"halt {word}: the account is HALTED"


def test_a_refusal_is_raised_in_the_engines_words() -> None:
    controls = SocketControls(Asked(ok=False, detail="296 s of the cooldown are left"), "SIMULATION", NOWHERE)
    with pytest.raises(CommandRefused, match="296 s of the cooldown are left"):
        controls.resume("why")


class Deaf(Asked):
    """Be an engine that starts: nobody hears yet."""

    def ask(self, verb: Verb, arguments: Mapping[str, Any] | None = None, **given: Any) -> Mapping[str, Any]:
        raise Busy("it is starting")


def test_a_halt_that_nobody_hears_is_written_to_the_latch_file(traded: Traded) -> None:
    """B2: what a person halts stays halted, whatever the engine is at."""
    controls = SocketControls(Deaf(), "SIMULATION", traded.path)
    assert "says HALTED" in controls.halt("fat finger")
    file = LatchFile(traded.path)
    assert (file.read(), file.word()[1].rpartition(": ")[2]) == (Rung.HALTED, "fat finger")
    with pytest.raises(Busy):
        controls.resume("no more")
