from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.audit.chain import trail_files
from storage.audit.keys import KEY_VARIABLE, default_key_path
from tests.unit.cli.conftest import Invoke, Traded


def queried(invoke: Invoke, path: Path, *options: object) -> list[dict[str, Any]]:
    result = invoke("audit", "query", "--state", path, "--limit", 0, "--json", *options)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    records: list[dict[str, Any]] = report["records"]
    assert report["shown"] == len(records)
    return records


def only_file(path: Path) -> Path:
    (file,) = trail_files(path / "audit")
    return file


# --- verify ---------------------------------------------------------------------------------------------------------


def test_a_whole_trail_verifies_with_its_count_and_head(invoke: Invoke, traded: Traded) -> None:
    result = invoke("audit", "verify", "--state", traded.path, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (report["holds"], report["findings"]) == (True, [])
    assert (report["records"], report["head"]) == (
        traded.summary["audit"]["events"],
        traded.summary["audit"]["head"],
    )
    assert report["records_per_s"] > 0
    text = invoke("audit", "verify", "--state", traded.path).stdout
    assert "holds" in text
    assert traded.summary["audit"]["head"] in text


def _flip(lines: list[bytes]) -> list[bytes]:
    return [*lines[:9], lines[9].replace(b'"bar":', b'"bar":9', 1), *lines[10:]]


def _delete(lines: list[bytes]) -> list[bytes]:
    return lines[:9] + lines[10:]


def _reorder(lines: list[bytes]) -> list[bytes]:
    return [*lines[:9], lines[10], lines[9], *lines[11:]]


def _double(lines: list[bytes]) -> list[bytes]:
    return lines[:9] + lines[8:]


@pytest.mark.parametrize(
    ("tamper", "kind"),
    [(_flip, "altered"), (_delete, "missing"), (_reorder, "reordered"), (_double, "duplicated")],
)
def test_tampering_is_found_with_its_place(
    invoke: Invoke, traded: Traded, tamper: Callable[[list[bytes]], list[bytes]], kind: str
) -> None:
    """C6: each is found, with file, line, record, what was expected; exit code 1."""
    file = only_file(traded.path)
    file.write_bytes(b"".join(tamper(file.read_bytes().splitlines(keepends=True))))
    result = invoke("audit", "verify", "--state", traded.path, "--json")
    (finding,) = json.loads(result.stdout)["findings"]
    assert result.exit_code == 1
    assert (finding["kind"], finding["file"], finding["line"], finding["seq"]) == (kind, file.name, 10, 10)
    text = invoke("audit", "verify", "--state", traded.path)
    assert text.exit_code == 1
    for part in ("DOES NOT HOLD", kind, f"{file.name}, line 10, record 10", finding["expected"]):
        assert part in text.stdout


def test_a_tail_cut_behind_a_checkpoint_is_found(invoke: Invoke, traded: Traded) -> None:
    file = only_file(traded.path)
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:20]))
    result = invoke("audit", "verify", "--state", traded.path)
    assert result.exit_code == 1
    assert "truncated" in result.stdout


def test_a_last_line_that_is_not_whole_is_no_crashs_where_the_end_is_signed(
    invoke: Invoke, traded: Traded
) -> None:
    file = only_file(traded.path)
    whole = file.read_bytes()
    file.write_bytes(whole[:-7])
    text = invoke("audit", "verify", "--state", traded.path).stdout
    assert "truncated" in text
    assert "bytes of a last line that was cut in its midst; it is part of what is missing" in text
    assert "crash" not in text
    file.write_bytes(whole + b'{"seq":')
    text = invoke("audit", "verify", "--state", traded.path).stdout
    assert "nothing after the trail's signed end" in text
    assert "crash" not in text


def test_the_key_of_another_machine_is_told_from_tampering(
    invoke: Invoke, traded: Traded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "ab" * 32)
    result = invoke("audit", "verify", "--state", traded.path)
    assert result.exit_code == 1
    assert "signed with key" in result.stdout
    assert "the key at hand is" in result.stdout


@pytest.mark.parametrize(
    ("key", "code", "says"), [("", 4, "no audit key"), ("abc", 4, "expected 64 hexadecimal digits")]
)
def test_without_a_usable_key_nothing_is_verified(
    invoke: Invoke,
    traded: Traded,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    key: str,
    code: int,
    says: str,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv(KEY_VARIABLE, key)
    assert not default_key_path().exists()
    result = invoke("audit", "verify", "--state", traded.path)
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in result.stderr
    assert not default_key_path().exists()


def test_key_in_the_dotenv_file_signs_the_trail_and_verifies_it(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that is accepted is used: the key file is neither made nor read."""
    config, state = tmp_path / "config", tmp_path / "state"
    config.mkdir()
    (config / ".env").write_text(f"{KEY_VARIABLE}={'ab' * 32}\n", encoding="ascii")
    (config / ".env").chmod(0o600)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(KEY_VARIABLE, "")  # so that what the command sets is taken back
    monkeypatch.delenv(KEY_VARIABLE)
    what = ("--symbols", "AAPL", "--to", "2000-04-28", "--runtime", "inline")
    ran = invoke("run", *what, "--config", config, "--state", state)
    assert ran.exit_code == 0, ran.output
    assert not default_key_path().exists()
    monkeypatch.delenv(KEY_VARIABLE)
    verify = ("audit", "verify", "--state", state)
    assert invoke(*verify, "--config", config).exit_code == 0
    monkeypatch.setenv(KEY_VARIABLE, "cd" * 32)
    assert "signed with key" in invoke(*verify, "--config", config).stdout


def test_dotenv_file_that_others_may_read_verifies_nothing(
    invoke: Invoke, traded: Traded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "")
    (tmp_path / ".env").write_text(f"{KEY_VARIABLE}={'ab' * 32}\n", encoding="ascii")
    (tmp_path / ".env").chmod(0o644)
    refused = invoke("audit", "verify", "--state", traded.path, "--config", tmp_path)
    assert (refused.exit_code, refused.stdout) == (4, "")
    assert "chmod 600" in refused.stderr


def test_a_kept_copy_of_the_checkpoints_is_held_to(invoke: Invoke, traded: Traded, tmp_path: Path) -> None:
    copy = tmp_path / "kept.jsonl"
    copy.write_bytes((traded.path / "audit" / "checkpoints.jsonl").read_bytes())
    verify = ("audit", "verify", "--state", traded.path, "--checkpoints", copy)
    assert invoke(*verify).exit_code == 0
    file, checkpoints = only_file(traded.path), traded.path / "audit" / "checkpoints.jsonl"
    signed = [json.loads(line) for line in checkpoints.read_text(encoding="utf-8").splitlines()]
    checkpoints.write_bytes(b"".join(checkpoints.read_bytes().splitlines(keepends=True)[:3]))
    file.write_bytes(file.read_bytes()[: signed[2]["offset"]])
    session = traded.path / "session.json"
    session.write_text(json.dumps(json.loads(session.read_bytes()) | {"trail_seq": 0, "trail_head": ""}))
    assert invoke("audit", "verify", "--state", traded.path).exit_code == 0
    rolled_back = invoke(*verify)
    assert rolled_back.exit_code == 1
    assert "rolled back" in rolled_back.stdout


def test_a_copy_that_is_not_there_is_a_wrong_argument(invoke: Invoke, traded: Traded) -> None:
    result = invoke("audit", "verify", "--state", traded.path, "--checkpoints", "gone.jsonl")
    assert result.exit_code == 2
    assert "gone.jsonl, no such file" in result.stderr


def test_a_trail_that_was_taken_away_does_not_pass(invoke: Invoke, traded: Traded) -> None:
    for path in (traded.path / "audit").iterdir():
        path.unlink()
    result = invoke("audit", "verify", "--state", traded.path)
    assert result.exit_code == 1
    assert "holds no audit trail" in result.stderr


@pytest.mark.parametrize("archived", [False, True])
def test_a_trail_whose_session_was_taken_away_is_verified_and_does_not_pass(
    invoke: Invoke, traded: Traded, archived: bool
) -> None:
    (traded.path / "session.json").unlink()
    if archived:  # an archived session has no marker
        (traded.path / "breakwater.json").unlink()
    result = invoke("audit", "verify", "--state", traded.path, "--json")
    report = json.loads(result.stdout)
    (finding,) = report["findings"]
    assert (result.exit_code, report["holds"]) == (1, False)
    assert (finding["kind"], finding["file"]) == ("session_missing", str(traded.path / "session.json"))
    assert report["records"] == traded.summary["audit"]["events"], "every record was verified all the same"
    text = invoke("audit", "verify", "--state", traded.path).stdout
    assert "session missing" in text
    assert "before it" not in text


def test_a_cut_trail_without_its_session_is_told_as_both(invoke: Invoke, traded: Traded) -> None:
    (traded.path / "session.json").unlink()
    file = only_file(traded.path)
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:20]))
    result = invoke("audit", "verify", "--state", traded.path, "--json")
    assert result.exit_code == 1
    assert [each["kind"] for each in json.loads(result.stdout)["findings"]] == [
        "truncated",
        "session_missing",
    ]


# --- query ----------------------------------------------------------------------------------------------------------

RECORD_KEYS = {
    "seq", "source", "source_seq", "kind", "at_ns", "at", "written_ns", "written", "bar", "key", "decision", "body",
    "hash",
}  # fmt: skip


def test_every_record_is_found_in_its_order(invoke: Invoke, traded: Traded) -> None:
    records = queried(invoke, traded.path)
    assert [record["seq"] for record in records] == list(range(1, traded.summary["audit"]["events"] + 1))
    assert {frozenset(record) for record in records} == {frozenset(RECORD_KEYS)}
    lines = only_file(traded.path).read_text(encoding="utf-8").splitlines()
    assert [record["hash"] for record in records] == [json.loads(line)["hash"] for line in lines]


def test_kinds_can_be_given_several_times(invoke: Invoke, traded: Traded) -> None:
    found = queried(invoke, traded.path, "--kind", "order", "--kind", "execution")
    assert {record["kind"] for record in found} == {"order", "execution"}
    assert sum(record["kind"] == "execution" for record in found) == traded.summary["fills"]


@pytest.mark.parametrize(("option", "name"), [("--symbol", "IBM"), ("--strategy", "vwap_slow")])
def test_a_name_finds_every_record_that_names_it(
    invoke: Invoke, traded: Traded, option: str, name: str
) -> None:
    """Whatever a record of the engine calls it: in its body, in its key, among signals or votes."""
    found = {record["seq"] for record in queried(invoke, traded.path, option, name)}
    naming = {
        record["seq"]
        for record in queried(invoke, traded.path)
        if record["kind"] != "started" and name in (record["key"] + json.dumps(record["body"]))
    }
    assert found == naming != set()


def test_a_range_is_of_bars_or_of_event_times(invoke: Invoke, traded: Traded) -> None:
    every = queried(invoke, traded.path)
    bars = queried(invoke, traded.path, "--from", 100, "--to", 120)
    assert bars == [record for record in every if 100 <= record["bar"] <= 120] != []
    days = queried(invoke, traded.path, "--from", "2000-09-01", "--to", "2000-09-29")
    assert days == [record for record in every if "2000-09-01" <= (record["at"] or "") < "2000-09-30"] != []
    mixed = queried(invoke, traded.path, "--from", 100, "--to", "2000-09-01T23:59:59Z")
    assert mixed == [
        record for record in every if record["bar"] >= 100 and 0 < record["at_ns"] < 967_852_800 * 10**9
    ]


def test_an_order_finds_its_whole_story(invoke: Invoke, traded: Traded) -> None:
    """From judgement to fill, stop and position; by the ref that `orders list` shows, or without its session."""
    fills = traded.summary["details"]["fills"]
    ref = next(fill["order_ref"] for fill in fills if fill["kind"] == "entry")
    story = queried(invoke, traded.path, "--intent", ref)
    assert {"assessment", "order", "execution", "order_state", "position"} <= {
        record["kind"] for record in story
    }
    assert min(story, key=lambda record: record["at_ns"])["kind"] in {"assessment", "order"}
    assert story == queried(invoke, traded.path, "--intent", ref.removeprefix("1."))
    others = [
        record for record in story if ref.removeprefix("1.") not in record["key"] + json.dumps(record["body"])
    ]
    executions = {record["key"] for record in story if record["kind"] == "execution"}
    assert {(record["kind"], record["key"]) for record in others} <= {("position", key) for key in executions}


def test_text_is_found_in_key_and_body(invoke: Invoke, traded: Traded) -> None:
    found = queried(invoke, traded.path, "--text", "SIZE_LOW_CONFIDENCE")
    assert len(found) == traded.summary["refused"]["size_low_confidence"]


def test_the_newest_are_shown_oldest_first(invoke: Invoke, traded: Traded) -> None:
    result = invoke("audit", "query", "--state", traded.path, "--limit", 4, "--json")
    report = json.loads(result.stdout)
    last = traded.summary["audit"]["events"]
    assert [record["seq"] for record in report["records"]] == list(range(last - 3, last + 1))
    assert (report["shown"], report["more"]) == (4, True)
    text = invoke("audit", "query", "--state", traded.path, "--limit", 4).stdout
    assert text.splitlines()[-1] == "4 records; older ones match too, --limit 0 shows all"
    assert len(text.splitlines()) == 6


def test_nothing_found_is_said_and_no_error(invoke: Invoke, traded: Traded) -> None:
    result = invoke("audit", "query", "--state", traded.path, "--symbol", "XOM")
    assert (result.exit_code, result.stdout) == (0, "No record matches.\n")


@pytest.mark.parametrize(
    "options",
    [
        ("--kind", "gossip"),
        ("--from", "yesterday"),
        ("--from", "9", "--to", "8"),
        ("--limit", "-1"),
        ("--to", "1e3"),
    ],
)
def test_wrong_arguments_end_with_code_2(invoke: Invoke, traded: Traded, options: tuple[str, ...]) -> None:
    assert invoke("audit", "query", "--state", traded.path, *options).exit_code == 2


def test_the_index_is_built_anew_when_it_was_deleted(invoke: Invoke, traded: Traded) -> None:
    before = queried(invoke, traded.path)
    for path in (traded.path / "audit").glob("index.db*"):
        path.unlink()
    assert queried(invoke, traded.path) == before


def test_a_damaged_index_is_named_and_can_be_deleted(invoke: Invoke, traded: Traded) -> None:
    (traded.path / "audit" / "index.db").write_text("no database at all, of any kind", encoding="utf-8")
    result = invoke("audit", "query", "--state", traded.path)
    assert result.exit_code == 4
    assert f"delete {traded.path / 'audit' / 'index.db'}" in result.stderr


def test_a_line_that_is_no_record_sends_to_verify(invoke: Invoke, traded: Traded) -> None:
    with only_file(traded.path).open("ab") as file:
        file.write(b"nonsense\n")
    result = invoke("audit", "query", "--state", traded.path)
    assert result.exit_code == 1
    assert "`breakwater audit verify` names the place" in result.stderr


# --- export ---------------------------------------------------------------------------------------------------------


def test_export_writes_json_lines_to_the_output(invoke: Invoke, traded: Traded) -> None:
    result = invoke("audit", "export", "--state", traded.path, "--kind", "order")
    exported = [json.loads(line) for line in result.stdout.splitlines()]
    wanted = [record["hash"] for record in queried(invoke, traded.path, "--kind", "order")]
    assert [record["hash"] for record in exported] == wanted


def test_export_to_a_file_takes_its_form_from_the_name(
    invoke: Invoke, traded: Traded, tmp_path: Path
) -> None:
    out = tmp_path / "orders.csv"
    result = invoke("audit", "export", "--state", traded.path, "--kind", "order", "--out", out, "--json")
    report = json.loads(result.stdout)
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert report == {"records": len(rows), "file": str(out), "format": "csv"}
    assert len(rows) == len(queried(invoke, traded.path, "--kind", "order"))
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_export_replaces_no_file_unasked(invoke: Invoke, traded: Traded, tmp_path: Path) -> None:
    out = tmp_path / "orders.jsonl"
    out.write_text("mine", encoding="utf-8")
    export = ("audit", "export", "--state", traded.path, "--out", out)
    assert invoke(*export).exit_code == 2
    assert out.read_text(encoding="utf-8") == "mine"
    assert invoke(*export, "--force").exit_code == 0
    assert len(out.read_text(encoding="utf-8").splitlines()) == traded.summary["audit"]["events"]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--json",), 2, "name a file for them with --out FILE"),
        (("--out", "{state}/mine.csv"), 2, "inside the state directory"),
        (("--out", "{state}/audit"), 2, "a directory"),
        (("--out", "{state}/../no/such/place.csv"), 4, "cannot be written"),
    ],
)
def test_export_refuses_what_it_cannot_or_must_not_do(
    invoke: Invoke, traded: Traded, options: tuple[str, ...], code: int, says: str
) -> None:
    given = (option.format(state=traded.path) for option in options)
    result = invoke("audit", "export", "--state", traded.path, *given)
    assert result.exit_code == code
    assert says in result.stderr


def test_a_place_that_cannot_be_looked_at_is_named(invoke: Invoke, traded: Traded, tmp_path: Path) -> None:
    out = tmp_path / ("x" * 300 + ".csv")
    result = invoke("audit", "export", "--state", traded.path, "--out", out)
    assert result.exit_code == 4
    assert "cannot be written: File name too long" in result.stderr


def test_export_replaces_no_pipe(invoke: Invoke, traded: Traded, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    os.mkfifo(out)
    result = invoke("audit", "export", "--state", traded.path, "--out", out, "--force")
    assert result.exit_code == 2
    assert "out.csv, a pipe; allowed" in " ".join(result.stderr.split())
    assert out.is_fifo()
