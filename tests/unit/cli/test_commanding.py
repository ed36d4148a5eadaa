"""Commands that steer an engine: what goes over the socket, what people and programs are told, and the exit codes."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.mailbox import LaneMailbox
from cli.checks import check_socket
from domain.commands import Command, Verb
from domain.halts import HaltLadder
from domain.messages import COORDINATOR
from domain.records import HaltTrigger, MachineSnapshot, Rung
from storage.files import FileLock
from storage.journal import SqlJournal
from storage.latch_file import LatchFile
from storage.state import StateDirectory
from storage.state_lock import LOCK
from supervisor.control_peers import Limits
from supervisor.control_server import ControlServer
from supervisor.latch_keeper import LADDER
from tests.fakes.ports import FakeLog
from tests.unit.cli.conftest import Invoke, Traded
from tests.unit.domain.test_halts import policy

ROLES = {
    "gateway": {
        "generation": 1,
        "status": "ready",
        "restarts": 0,
        "why": "",
        "pid": 41,
        "rss_bytes": 80 * 2**20,
        "busy_s": 0.1,
        "queued": 3,
    },
    "strategy:momentum": {
        "generation": 5,
        "status": "quarantined",
        "restarts": 4,
        "why": "it ended 4 times in 60 s",
        "pid": 0,
        "rss_bytes": 0,
        "busy_s": 0.0,
        "queued": 0,
    },
}
STATUS = {
    "phase": "running",
    "reason": "",
    "mode": "SIMULATION",
    "session": 3,
    "completed": False,
    "rung": "HALTED",
    "causes": ["manual"],
    "scoped": [["book:main", "HALTED"]],
    "halted_by": [
        {
            "scope": "",
            "trigger": "manual",
            "rung": "HALTED",
            "detail": "ann: storm",
            "since_ns": 1_700_000_000_000_000_000,
        }
    ],
    "halts": 1,
    "roles": ROLES,
    "views": {
        "risk": {
            "equity": 99_500.5,
            "daily_loss": 0.01,
            "drawdown": 0.02,
            "heat": 0.003,
            "positions": {"AAPL": 3},
            "breakers": {"momentum": "half_open", "vwap": "closed"},
            "entry_breakers": {"market_data": "open", "risk_calculation": "closed"},
        },
        "feed": {"next": 1_234},
        "gateway": {"gate_open": False, "breaker": "open", "open_orders": 2, "orders": 40},
    },
}


class Engine:
    """Be an engine that notes each command and answers it as told."""

    def __init__(self, state: Path) -> None:
        self.taken: list[Command] = []
        self.body: dict[str, Any] = {}
        self.silent = False
        self.mailbox = LaneMailbox("coordinator")
        self.server = ControlServer(state, FakeLog(), limits=Limits(answer_s=30.0))
        self.server.open(self.mailbox)
        threading.Thread(target=self._work, daemon=True).start()

    def close(self) -> None:
        self.server.close()
        self.mailbox.close()

    def _work(self) -> None:
        while not self.mailbox.closed:
            command = self.mailbox.take(0.1)
            if isinstance(command, Command):
                self.taken.append(command)
                if not self.silent:
                    self.server.answer(command.request_id, self._answer(command))

    def _answer(self, command: Command) -> dict[str, Any]:
        plain = {
            "ok": True,
            "requested": True,
            "acknowledged": True,
            "effective": True,
            "detail": "so it is",
            "verb": command.verb.value,
        }
        return {**plain, **(STATUS if command.verb is Verb.STATUS else {}), **self.body}


@pytest.fixture
def engine(traded: Traded) -> Iterator[Engine]:
    """Return an engine that answers on the traded state directory."""
    made = Engine(traded.path)
    yield made
    made.close()


CASES: list[tuple[tuple[str, ...], Verb, dict[str, Any]]] = [
    (("halt",), Verb.HALT, {}),
    (("halt", "--book", "main"), Verb.HALT, {"scope": "book:main"}),
    (("halt", "--symbol", "aapl"), Verb.HALT, {"scope": "symbol:AAPL"}),
    (("reduce",), Verb.REDUCE, {}),
    (("flatten",), Verb.FLATTEN, {}),
    (("resume",), Verb.RESUME, {"scope": "", "force": False, "new_peak": False}),
    (
        ("resume", "--force", "--new-peak"),
        Verb.RESUME,
        {"scope": "", "force": True, "new_peak": True},
    ),
    (
        ("resume", "--book", "main"),
        Verb.RESUME,
        {"scope": "book:main", "force": False, "new_peak": False},
    ),
    (("stop",), Verb.STOP, {}),
    (("agents", "start", "strategy:a"), Verb.AGENT_START, {"role": "strategy:a"}),
    (("agents", "stop", "strategy:a"), Verb.AGENT_STOP, {"role": "strategy:a"}),
    (("agents", "restart", "risk"), Verb.AGENT_RESTART, {"role": "risk"}),
    (("agents", "release", "strategy:a"), Verb.AGENT_RELEASE, {"role": "strategy:a"}),
    (("orders", "cancel", "1.a", "1.b"), Verb.ORDER_CANCEL, {"order_refs": ["1.a", "1.b"]}),
    (("orders", "resolve", "1.a"), Verb.ORDER_RESOLVE, {"order_ref": "1.a"}),
    (("positions", "close", "aapl"), Verb.POSITION_CLOSE, {"symbol": "AAPL", "book": ""}),
    (
        ("positions", "close", "AAPL", "--book", "main"),
        Verb.POSITION_CLOSE,
        {"symbol": "AAPL", "book": "main"},
    ),
]


@pytest.mark.parametrize(("arguments", "verb", "sent"), CASES, ids=[" ".join(case[0]) for case in CASES])
def test_a_command_arrives_with_its_arguments_reason_mode_key_and_name(
    invoke: Invoke,
    traded: Traded,
    engine: Engine,
    arguments: tuple[str, ...],
    verb: Verb,
    sent: dict[str, Any],
) -> None:
    given = ("--reason", " a  storm\n", "--key", "k1", "--as", "ann", "--state", traded.path)
    result = invoke(*arguments, *given)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "effective" in result.stdout
    assert "so it is" in result.stdout
    (command,) = engine.taken
    assert (command.verb, command.arguments) == (verb, sent)
    assert (command.reason, command.mode, command.key) == ("a storm", "SIMULATION", "k1")
    assert command.who.endswith(" as ann")


@pytest.mark.parametrize("arguments", [case[0] for case in CASES], ids=[" ".join(case[0]) for case in CASES])
def test_each_needs_a_reason_and_says_so(invoke: Invoke, traded: Traded, arguments: tuple[str, ...]) -> None:
    for reason in ((), ("--reason", " "), ("--reason", "x" * 501)):
        result = invoke(*arguments, *reason, "--state", traded.path)
        assert result.exit_code == 2
        assert "--reason" in result.stderr


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ({"ok": False, "effective": False, "detail": "refused: not now"}, 1, "refused: not now"),
        (
            {"effective": False, "detail": "not confirmed within 2 s"},
            5,
            "acknowledged  halt: not confirmed within 2 s",
        ),
        ({"again": True}, 0, "this key was used before"),
        ({"facts": {"1.a": "it is filled"}}, 0, "so it is (1.a it is filled)"),
    ],
)
def test_the_exit_code_says_how_far_it_came(
    invoke: Invoke, traded: Traded, engine: Engine, body: dict[str, Any], code: int, says: str
) -> None:
    engine.body = body
    result = invoke("halt", "--reason", "x", "--state", traded.path)
    assert result.exit_code == code
    assert says in (result.stdout + result.stderr)
    result = invoke("halt", "--reason", "x", "--state", traded.path, "--json")
    assert result.exit_code == code
    assert json.loads(result.stdout)["detail"] == body.get("detail", "so it is")


def test_an_order_to_a_role_is_done_when_it_is_acknowledged(
    invoke: Invoke, traded: Traded, engine: Engine
) -> None:
    engine.body = {"effective": False, "detail": "risk restarts"}
    assert invoke("agents", "restart", "risk", "--reason", "x", "--state", traded.path).exit_code == 0


def test_a_key_is_new_each_time_unless_given(invoke: Invoke, traded: Traded, engine: Engine) -> None:
    for _ in range(2):
        invoke("halt", "--reason", "x", "--state", traded.path)
    first, second = (command.key for command in engine.taken)
    assert first != second
    assert len(first) == 16


@pytest.mark.parametrize(
    "arguments",
    [
        ("--key", "a b"),
        ("--key", "k" * 65),
        ("--as", "n" * 65),
        ("--book", "a", "--symbol", "b"),
    ],
)
def test_what_the_socket_would_not_take_is_a_usage_error(
    invoke: Invoke, traded: Traded, engine: Engine, arguments: tuple[str, ...]
) -> None:
    result = invoke("halt", "--reason", "x", *arguments, "--state", traded.path)
    assert (result.exit_code, engine.taken) == (2, [])


# --- where no engine hears --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [case[0] for case in CASES if case[0] != ("halt",)] + [("agents", "list")],
    ids=" ".join,
)
def test_what_needs_a_running_engine_ends_with_code_3_where_none_runs(
    invoke: Invoke, traded: Traded, arguments: tuple[str, ...]
) -> None:
    reason = () if arguments == ("agents", "list") else ("--reason", "x")
    result = invoke(*arguments, *reason, "--state", traded.path)
    assert result.exit_code == 3
    assert "no engine runs on" in result.stderr
    assert LatchFile(traded.path).read() is Rung.ACTIVE


def test_halt_works_where_no_engine_runs_and_says_what_that_means(invoke: Invoke, traded: Traded) -> None:
    result = invoke("halt", "--reason", "holiday", "--as", "ann", "--state", traded.path, "--json")
    assert result.exit_code == 0
    body = json.loads(result.stdout)
    assert (body["running"], body["effective"]) == (False, True)
    assert "the next run of this session starts so" in body["detail"]
    file = LatchFile(traded.path)
    version, detail = file.word()
    assert (file.read(), version) == (Rung.HALTED, 0)
    assert detail.endswith(" as ann: holiday")


def test_halt_does_not_lower_a_file_that_says_more(invoke: Invoke, traded: Traded) -> None:
    LatchFile(traded.path).write(Rung.FLATTENING, 0, "bob: close all")
    result = invoke("halt", "--reason", "holiday", "--state", traded.path)
    assert result.exit_code == 0
    assert LatchFile(traded.path).read() is Rung.FLATTENING
    assert LatchFile(traded.path).word()[1].startswith("bob: close all; then ")


def test_halts_before_anybody_recorded_the_first_are_all_kept(invoke: Invoke, traded: Traded) -> None:
    for number in range(4):
        assert invoke("halt", "--reason", f"storm {number}", "--state", traded.path).exit_code == 0
    told = LatchFile(traded.path).word()[1].split("; then ")
    assert [each.rpartition(": ")[2] for each in told] == [f"storm {number}" for number in range(4)]


def test_what_the_file_keeps_of_who_halted_is_bounded(invoke: Invoke, traded: Traded) -> None:
    for number in range(12):
        invoke("halt", "--reason", f"{number} " + "x" * 450, "--state", traded.path)
    told = LatchFile(traded.path).word()[1]
    assert len(told) < 4_100
    assert told.startswith(getpass.getuser())
    assert f"11 {'x' * 450}" in told


def test_halt_where_no_engine_has_ever_been_ends_with_code_3(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("halt", "--reason", "x", "--state", tmp_path / "none")
    assert result.exit_code == 3
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("verb", "rung"),
    [("halt", Rung.HALTED), ("reduce", Rung.REDUCING), ("flatten", Rung.FLATTENING)],
)
def test_an_engine_that_does_not_answer_is_halted_by_its_file(
    invoke: Invoke,
    traded: Traded,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    rung: Rung,
) -> None:
    """A coordinator that was stopped cannot hear; the gateway looks at the file before each order (show 2)."""
    engine.silent = True
    monkeypatch.setattr("supervisor.control_client.ControlClient.__init__.__defaults__", (0.3,))
    result = invoke(verb, "--reason", "x", "--state", traded.path)
    assert result.exit_code == 5
    assert "did not answer within 0.3 s" in result.stdout
    assert LatchFile(traded.path).read() is rung
    result = invoke("halt", "--symbol", "AAPL", "--reason", "x", "--state", traded.path)
    assert result.exit_code == 5
    assert LatchFile(traded.path).read() is rung


@pytest.fixture
def away(traded: Traded, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hold the traded state directory as `run` does while Ray restarts the coordinator, and wait only a moment."""
    monkeypatch.setattr("supervisor.control_client.ControlClient.__init__.__defaults__", (0.3,))
    lock = FileLock(traded.path / LOCK)
    assert lock.take("process 7") is None
    yield
    lock.release()


@pytest.mark.parametrize(
    ("verb", "rung"),
    [("halt", Rung.HALTED), ("reduce", Rung.REDUCING), ("flatten", Rung.FLATTENING)],
)
def test_an_engine_whose_coordinator_is_away_is_halted_by_its_file(
    invoke: Invoke, traded: Traded, away: None, verb: str, rung: Rung
) -> None:
    result = invoke(verb, "--reason", "x", "--state", traded.path, "--json")
    body = json.loads(result.stdout)
    assert (result.exit_code, body["running"], body["effective"]) == (5, True, False)
    assert "its coordinator is being restarted" in body["detail"]
    assert "one that runs inline at full speed does not look at it" in body["detail"], "this one ran inline"
    assert LatchFile(traded.path).read() is rung


def test_looking_at_an_engine_whose_coordinator_is_away_says_so(
    invoke: Invoke, traded: Traded, away: None
) -> None:
    result = invoke("status", "--state", traded.path)
    assert (result.exit_code, "not running" in result.stdout) == (5, False)
    assert "its coordinator is being restarted" in result.stderr
    assert check_socket(traded.path).verdict == "failed"


# --- looking ----------------------------------------------------------------------------------------------------------


def test_status_shows_how_it_stands_what_holds_it_up_the_account_and_the_roles(
    invoke: Invoke, traded: Traded, engine: Engine
) -> None:
    result = invoke("status", "--state", traded.path)
    assert (result.exit_code, result.stderr) == (0, "")
    for words in (
        "running, running",
        "SIMULATION",
        "HALTED",
        "manual: ann: storm (HALTED, 2023-11-14 22:13:20)",
        "99,500.50",
        "2.000%",
        "2 open of 40, gate closed",
        "broker open, market_data open, strategy momentum half-open",
        "1,234",
        "quarantined",
        "it ended 4 times in 60 s",
    ):
        assert words in result.stdout
    body = json.loads(invoke("status", "--state", traded.path, "--json").stdout)
    assert body["running"]
    assert {name: body[name] for name in STATUS} == STATUS
    assert [command.verb for command in engine.taken] == [Verb.STATUS] * 2


def test_agents_list_shows_each_with_its_reason(invoke: Invoke, traded: Traded, engine: Engine) -> None:
    result = invoke("agents", "list", "--state", traded.path)
    (row,) = [line for line in result.stdout.splitlines() if line.startswith("strategy:momentum")]
    assert row.split()[1:4] == ["quarantined", "5", "4"]
    assert row.endswith("it ended 4 times in 60 s")
    assert json.loads(invoke("agents", "list", "--state", traded.path, "--json").stdout) == {"roles": ROLES}


def test_status_of_an_engine_that_does_not_run_tells_what_it_left(invoke: Invoke, traded: Traded) -> None:
    result = invoke("status", "--state", traded.path)
    assert result.exit_code == 3
    assert "not running, completed" in result.stdout
    LatchFile(traded.path).write(Rung.FLATTENING, 0, "ann: holiday")
    result = invoke("status", "--state", traded.path)
    assert "FLATTENING: so the next run starts" in result.stdout
    body = json.loads(invoke("status", "--state", traded.path, "--json").stdout)
    assert (body["running"], body["exit_code"], body["file_rung"]) == (False, 3, "FLATTENING")
    assert body["session"] == 1


@pytest.mark.parametrize(
    ("stands", "file", "version", "status", "doctor"),
    [
        (Rung.ACTIVE, Rung.HALTED, 0, "HALTED: so the next run starts", "the next run starts HALTED"),
        (Rung.ACTIVE, Rung.HALTED, 1, "", "the next run starts ACTIVE"),
        (Rung.ACTIVE, Rung.HALTED, 9, "HALTED: so the next run starts", "the next run starts HALTED"),
        (Rung.HALTED, Rung.REDUCING, 0, "REDUCING: the next run records it", "the next run starts HALTED"),
        (Rung.HALTED, Rung.HALTED, 0, "HALTED: the next run records it", "the file a cause of its own"),
        (Rung.HALTED, Rung.HALTED, 1, "", "once that is settled"),
        (Rung.HALTED, Rung.ACTIVE, 0, "", "the next run starts HALTED"),
    ],
)
def test_status_and_doctor_say_of_the_latch_file_what_the_next_start_does(
    invoke: Invoke,
    traded: Traded,
    monkeypatch: pytest.MonkeyPatch,
    stands: Rung,
    file: Rung,
    version: int,
    status: str,
    doctor: str,
) -> None:
    """By its version, as the start does, not by its rung alone."""
    from cli.verdicts import ok

    monkeypatch.setattr("cli.checks.check_ray", lambda: ok("Ray", "left out here"))
    ladder = HaltLadder(policy())
    ladder.raise_latch(
        HaltTrigger.HEAT, Rung.HALTED, at_ns=0, bar=1, session=1, raised_by="risk", detail="why"
    )
    if stands is Rung.ACTIVE:
        ladder.resume("", resumed_by="person", detail="ann", new_peak=False)
    journal = SqlJournal(StateDirectory(traded.path).database_url(COORDINATOR), COORDINATOR)
    journal.append([MachineSnapshot(name=LADDER, bar=-1, at_ns=0, values=ladder.to_values())])
    journal.close()
    LatchFile(traded.path).write(file, version, "words")
    shown = invoke("status", "--state", traded.path).stdout
    assert status in shown
    assert ("Latch file" in shown) is bool(status)
    checks = json.loads(invoke("doctor", "--state", traded.path, "--json").stdout)["checks"]
    (latch,) = [each for each in checks if each["check"] == "halt latch"]
    assert doctor in latch["advice"]


Broken = Callable[[Path], None]


def _halted(path: Path) -> None:
    LatchFile(path).write(Rung.HALTED, 0, "ann: holiday")


def _cut_trail(path: Path) -> None:
    newest = sorted((path / "audit").glob("*.jsonl"))[0]
    newest.write_bytes(newest.read_bytes()[:-200] + b"x" * 200)


def _bad_database(path: Path) -> None:
    (path / "risk.db").write_bytes(b"not a database")


def _bad_venue(path: Path) -> None:
    (path / "venue" / "venue.db").write_bytes(b"not a database" * 1_000)


def _without(name: str) -> Broken:
    def take(path: Path) -> None:
        place = path / name
        (shutil.rmtree if place.is_dir() else os.unlink)(place)

    return take


def _socket_taken(path: Path) -> None:
    (path / "control.sock").mkdir()


def test_doctor_is_well_on_a_state_directory_that_is(invoke: Invoke, traded: Traded, engine: Engine) -> None:
    result = invoke("doctor", "--state", traded.path, "--json")
    found = {check["check"]: check for check in json.loads(result.stdout)["checks"]}
    verdicts = {name: check["verdict"] for name, check in found.items() if name not in ("disk", "memory")}
    assert set(verdicts.values()) == {"ok"}, found
    assert found["control socket"]["found"].startswith("running, answered in")
    assert set(found) >= {
        "Python", "packages", "Ray", "configuration", "shared memory", "state directory", "halt latch",
        "database coordinator", "database gateway", "database risk", "database feed", "audit trail",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("break_it", "check", "verdict", "code"),
    [
        (_halted, "halt latch", "warning", 0),
        (_cut_trail, "audit trail", "failed", 1),
        (_bad_database, "database risk", "failed", 1),
        (_bad_venue, "session", "failed", 1),
        (_without("venue"), "session", "failed", 1),
        (_without("gateway.db"), "session", "failed", 1),
        (_without("audit"), "audit trail", "failed", 1),
        (_without("breakwater.json"), "state directory", "failed", 1),
        (_socket_taken, "control socket", "failed", 1),
    ],
)
def test_doctor_finds_what_is_wrong_and_says_what_to_do(
    invoke: Invoke,
    traded: Traded,
    monkeypatch: pytest.MonkeyPatch,
    break_it: Broken,
    check: str,
    verdict: str,
    code: int,
) -> None:
    from cli.verdicts import ok

    monkeypatch.setattr("cli.checks.check_ray", lambda: ok("Ray", "left out here"))
    break_it(traded.path)
    result = invoke("doctor", "--state", traded.path, "--json")
    (found,) = [each for each in json.loads(result.stdout)["checks"] if each["check"] == check]
    assert (found["verdict"], result.exit_code) == (verdict, code)
    assert found["advice"]


def test_agents_list_names_those_who_share_a_role_where_any_do(
    invoke: Invoke, traded: Traded, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Strategies" not in invoke("agents", "list", "--state", traded.path).stdout
    pack = {**ROLES["strategy:momentum"], "strategies": ["momentum", "vwap"]}
    monkeypatch.setitem(ROLES, "strategies:1", pack)
    head, *rows = invoke("agents", "list", "--state", traded.path).stdout.splitlines()
    assert "Strategies" in head
    (row,) = [line for line in rows if line.startswith("strategies:1")]
    assert "momentum, vwap" in row
    assert row.endswith("it ended 4 times in 60 s")
