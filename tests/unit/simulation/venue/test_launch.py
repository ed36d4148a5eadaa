"""Start, attach to, outlive, kill and stop real venue processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from actors.mailbox import LaneMailbox
from domain.broker import BrokerLink
from domain.errors import BrokerUnavailable, StateError
from simulation.venue.address import (
    Address,
    is_running,
    read_address,
    venue_directory,
    write_address,
)
from simulation.venue.launch import start_venue, stop_venue
from simulation.venue.link import VenueBroker, VenueMarket
from simulation.venue.process import main
from simulation.venue.settings import SETTINGS_CODEC
from tests.contract.venue_benches import Inbox, SocketBench
from tests.contract.venue_world import bar, buy, fills, group, settings

FLAT = bar("A", 100.0, 100.0, 100.0, 100.0)


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_venue(tmp_path)


def test_a_venue_starts_is_private_and_leaves_nothing_when_stopped(state_dir: Path) -> None:
    venue = start_venue(state_dir, settings())
    address = venue_directory(state_dir) / "address.json"
    socket_dir = Path(venue.address.path).parent
    assert stat.S_IMODE(address.stat().st_mode) == 0o600
    assert stat.S_IMODE(socket_dir.stat().st_mode) == 0o700
    assert os.getsid(venue.address.pid) == venue.address.pid
    assert is_running(state_dir)
    venue.stop()
    assert not is_running(state_dir)
    assert not psutil.pid_exists(venue.address.pid)
    assert not address.exists()
    assert not socket_dir.exists()
    stop_venue(state_dir)


def test_starting_again_finds_the_running_venue_unless_its_settings_changed(state_dir: Path) -> None:
    first = start_venue(state_dir, settings())
    assert start_venue(state_dir, settings()).address == first.address
    changed = start_venue(state_dir, settings(participation=0.5))
    assert changed.address.pid != first.address.pid
    assert not psutil.pid_exists(first.address.pid)


def test_a_killed_venue_leaves_an_address_that_the_next_start_clears(state_dir: Path) -> None:
    bench = SocketBench(state_dir)
    bench.connect()
    bench.move(group(0, FLAT))
    bench.tell(buy("o", "A", 5))
    old = Path(bench.process.address.path)
    lost = bench.crash()
    assert lost is not None
    assert not lost.connected
    assert not old.parent.exists()
    assert bench.connect().connection == 2
    assert fills(bench.move(group(1, FLAT)).events) == [("o", 5, 100.0)]
    bench.end()


def test_a_stale_address_is_never_signalled(state_dir: Path) -> None:
    """Another process has the recorded pid: stopping must leave it alone."""
    innocent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        venue_directory(state_dir).mkdir(parents=True)
        write_address(state_dir, Address("/tmp/none/venue.sock", innocent.pid, "token"))
        stop_venue(state_dir)
        assert innocent.poll() is None
        assert read_address(state_dir) is None
        venue = start_venue(state_dir, settings())
        write_address(state_dir, Address(venue.address.path, innocent.pid, venue.address.token))
        with pytest.raises(StateError, match="address file does not name"):
            stop_venue(state_dir)
        assert innocent.poll() is None
        write_address(state_dir, venue.address)
    finally:
        innocent.kill()
        innocent.wait()


def test_a_second_process_on_the_same_directory_is_refused(
    state_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    start_venue(state_dir, settings())
    file = venue_directory(state_dir) / "settings.json"
    assert main(["--state", str(state_dir), "--settings", str(file)]) == StateError.exit_code
    assert "another venue process" in caplog.text


@pytest.mark.parametrize("content", ["{", '{"type":"Hello"}'])
def test_settings_that_are_none_are_refused_with_their_file(
    state_dir: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    file = state_dir / "odd.json"
    file.write_text(content)
    assert main(["--state", str(state_dir), "--settings", str(file)]) == 4
    assert str(file) in caplog.text
    assert main(["--state", str(state_dir), "--settings", str(state_dir / "absent.json")]) == 4


def test_a_venue_that_cannot_start_says_why(state_dir: Path) -> None:
    directory = venue_directory(state_dir)
    directory.mkdir(parents=True)
    (directory / "venue.db").write_bytes(b"this is no database" * 500)
    with pytest.raises(StateError, match=r"venue\.db"):
        start_venue(state_dir, settings())
    assert not is_running(state_dir)


def test_a_stopped_process_that_ignores_sigterm_is_killed(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = start_venue(state_dir, settings())
    os.kill(venue.address.pid, signal.SIGSTOP)
    monkeypatch.setattr("simulation.venue.launch.STOP_DEADLINE_S", 0.3)
    stop_venue(state_dir)
    assert not is_running(state_dir)


def test_it_outlives_the_process_that_started_it(state_dir: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from simulation.venue.launch import start_venue\n"
        "from simulation.venue.settings import read_settings\n"
        "start_venue(pathlib.Path(sys.argv[1]), read_settings(sys.argv[2].encode(), 'argument'))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[4])}
    wanted = SETTINGS_CODEC.encode(settings()).decode()
    command = [sys.executable, "-c", code, str(state_dir), wanted]
    subprocess.run(command, check=True, env=environment, timeout=60)
    assert is_running(state_dir)
    VenueMarket(state_dir).open()


def test_a_folder_of_the_same_name_in_the_working_directory_does_no_harm(
    state_dir: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path_factory.mktemp("elsewhere")
    (place / "simulation").mkdir()
    (place / "simulation" / "__init__.py").write_text("raise SystemExit('the wrong simulation')")
    monkeypatch.chdir(place)
    start_venue(state_dir, settings())
    assert is_running(state_dir)


def test_a_long_temporary_directory_is_no_obstacle(
    state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    venue = start_venue(state_dir, settings())
    assert len(venue.address.path) <= 104


def test_without_a_venue_opening_is_refused_with_the_place(tmp_path: Path) -> None:
    for port in (lambda: VenueBroker(tmp_path).open(Inbox()), VenueMarket(tmp_path).open):
        with pytest.raises(BrokerUnavailable, match=str(venue_directory(tmp_path))):
            port()


@pytest.mark.parametrize("content", ["{", "[]", '{"path": 1, "pid": 2, "token": "x"}'])
def test_an_unreadable_address_is_refused_with_its_file(tmp_path: Path, content: str) -> None:
    venue_directory(tmp_path).mkdir(parents=True)
    (venue_directory(tmp_path) / "address.json").write_text(content)
    with pytest.raises(BrokerUnavailable, match=r"address\.json"):
        VenueMarket(tmp_path).open()


def test_lost_link_overtakes_what_waits(state_dir: Path) -> None:
    """Orders that wait in the normal lane must find the gate closed."""
    start_venue(state_dir, settings())
    mailbox = LaneMailbox("gateway")
    VenueBroker(state_dir).open(mailbox)
    stop_venue(state_dir)
    until = time.monotonic() + 10.0
    while mailbox.depths() != (1, 1) and time.monotonic() < until:
        time.sleep(0.01)
    links = [mailbox.take(), mailbox.take()]
    assert [isinstance(link, BrokerLink) and link.connected for link in links] == [False, True]


def test_a_copy_of_the_directory_meets_and_ends_nobodys_venue(state_dir: Path, tmp_path: Path) -> None:
    venue = start_venue(state_dir, settings())
    copy = tmp_path / "copy"
    shutil.copytree(venue_directory(state_dir), venue_directory(copy))
    with pytest.raises(BrokerUnavailable, match="no venue runs there"):
        VenueBroker(copy).open(Inbox())
    stop_venue(copy)
    assert Path(venue.address.path).exists()
    VenueBroker(state_dir).open(Inbox())


def test_the_wrong_token_opens_nothing(state_dir: Path) -> None:
    start_venue(state_dir, settings())
    file = venue_directory(state_dir) / "address.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"token": "guess"}))
    with pytest.raises(BrokerUnavailable, match="refused"):
        VenueBroker(state_dir).open(Inbox())


def test_a_gateway_that_is_replaced_hears_that_it_lost_its_link(state_dir: Path) -> None:
    start_venue(state_dir, settings())
    first, second, inbox = VenueBroker(state_dir), VenueBroker(state_dir), Inbox()
    first.open(inbox)
    assert inbox.link().connection == 1
    second.open(Inbox())
    lost = inbox.link()
    assert (lost.connected, lost.connection) == (False, 1)
    with pytest.raises(BrokerUnavailable):
        first.send(buy("o", "A", 1))
    second.close()


def test_closing_by_oneself_tells_nothing(state_dir: Path) -> None:
    start_venue(state_dir, settings())
    broker, inbox = VenueBroker(state_dir), Inbox()
    broker.open(inbox)
    inbox.link()
    broker.close()
    broker.close()
    time.sleep(0.05)
    assert inbox.is_empty()


def test_a_venue_that_does_not_answer_is_unavailable_within_the_deadline(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = start_venue(state_dir, settings())
    monkeypatch.setattr("simulation.venue.link.DEADLINE_S", 0.3)
    os.kill(venue.address.pid, signal.SIGSTOP)
    try:
        with pytest.raises(BrokerUnavailable):
            VenueBroker(state_dir).open(Inbox())
    finally:
        os.kill(venue.address.pid, signal.SIGCONT)
