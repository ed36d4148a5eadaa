"""Test what the Ray runtime leaves and meets in the system: signals, orphans, import paths, ports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from domain.errors import Busy, NotRunning
from supervisor.child_spec import ChildSpec
from supervisor.ray_runtime import RayRuntime

pytestmark = pytest.mark.ray
ROOT = Path(__file__).resolve().parents[2]

DRIVER = """
import json, os, sys, time
from pathlib import Path
import psutil
from supervisor.child_spec import ChildSpec
from supervisor.ray_runtime import RayRuntime
from supervisor.signals import StopSignals

print("begin", flush=True)
with StopSignals() as stop:
    with RayRuntime(Path(sys.argv[1]), actors=2) as runtime:
        factory = "tests.actor.probes:probe"
        if not stop.requested:
            runtime.spawn([ChildSpec(role=role, factory=factory) for role in ("a", "b")])
        tree = [child.pid for child in psutil.Process().children(recursive=True)]
        roles = runtime.processes()
        state = runtime.snapshot("a", deadline_s=5.0)["state"] if roles else None
        print(json.dumps({"tree": tree, "roles": roles, "state": state}), flush=True)
        while not stop.requested and len(sys.argv) < 3:
            stop.wait(30.0)
        late = runtime.stop(("a", "b"))
print(json.dumps({"reason": stop.reason, "late": late}), flush=True)
"""


STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    """End a driver that a failed test left behind."""
    yield
    for driver in STARTED:
        driver.kill()
        driver.communicate()
    STARTED.clear()


def start_driver(tmp_path: Path, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, str(script), str(tmp_path / "state"), *arguments]
    driver = subprocess.Popen(
        command,
        cwd=cwd or tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    STARTED.append(driver)
    return driver


def read_tree(driver: subprocess.Popen[str]) -> dict[str, object]:
    assert driver.stdout is not None
    assert driver.stdout.readline() == "begin\n"
    found: dict[str, object] = json.loads(driver.stdout.readline())
    return found


def left_after(pids: list[int], patience_s: float) -> list[int]:
    until_s = time.monotonic() + patience_s
    while time.monotonic() < until_s:
        if not any(psutil.pid_exists(pid) for pid in pids):
            return []
        time.sleep(0.05)
    return [pid for pid in pids if psutil.pid_exists(pid)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_to_the_whole_process_group_stops_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """C3: ^C reaches the terminal's process group, and so does what `timeout` sends; Ray must outlive it."""
    driver = start_driver(tmp_path)
    tree = read_tree(driver)["tree"]
    assert isinstance(tree, list)
    assert len(tree) >= 4
    os.killpg(driver.pid, number)
    output, _ = driver.communicate(timeout=60)
    assert json.loads(output) == {"reason": number.name, "late": []}
    assert driver.returncode == 0
    assert left_after(tree, 0.0) == []


def test_killed_driver_takes_its_actors_along_and_the_next_start_clears_the_rest(tmp_path: Path) -> None:
    driver = start_driver(tmp_path)
    found = read_tree(driver)
    tree, roles = found["tree"], found["roles"]
    noted = Path(json.loads((tmp_path / "state" / "ray" / "session.json").read_text())["session"])
    assert isinstance(tree, list)
    driver.kill()
    driver.communicate(timeout=20)
    assert isinstance(roles, dict)
    assert left_after(list(roles.values()), 20.0) == []
    again = start_driver(tmp_path, "once")
    read_tree(again)
    again.communicate(timeout=60)
    assert left_after(tree, 5.0) == []
    assert not noted.exists()


@pytest.mark.parametrize(
    ("delay_s", "send"), [(0.2, os.kill), (1.5, os.kill), (3.0, os.kill), (1.5, os.killpg), (2.5, os.killpg)]
)
def test_sigterm_during_the_start_is_clean(
    tmp_path: Path, delay_s: float, send: Callable[[int, int], None]
) -> None:
    driver = start_driver(tmp_path)
    assert driver.stdout is not None
    assert driver.stdout.readline() == "begin\n"
    time.sleep(delay_s)
    below = [child.pid for child in psutil.Process(driver.pid).children(recursive=True)]
    send(driver.pid, signal.SIGTERM)
    output, _ = driver.communicate(timeout=90)
    assert driver.returncode == 0, output
    assert json.loads(output.splitlines()[-1]) == {"reason": "SIGTERM", "late": []}
    tree = json.loads(output.splitlines()[0])["tree"]
    assert left_after([*below, *tree], 0.0) == []


def test_hostile_working_directory_is_not_imported(tmp_path: Path) -> None:
    """The issue's bad input: a working directory with its own `config.py` or `ui/` simply works."""
    hostile = tmp_path / "hostile"
    (hostile / "ui").mkdir(parents=True)
    for name in (
        "config.py",
        "domain.py",
        "actors.py",
        "supervisor.py",
        "tests.py",
        "queue.py",
        "ui/__init__.py",
    ):
        (hostile / name).write_text(
            "raise RuntimeError('imported from the working directory')\n", encoding="utf-8"
        )
    driver = start_driver(tmp_path, "once", cwd=hostile)
    state = read_tree(driver)["state"]
    driver.communicate(timeout=60)
    assert driver.returncode == 0
    assert isinstance(state, dict)
    assert str(hostile) not in state["path"]
    assert Path(state["config"]).is_relative_to(ROOT)


def test_actor_processes_are_lean_deaf_to_interrupts_and_on_loopback_only(tmp_path: Path) -> None:
    driver = start_driver(tmp_path)
    found = read_tree(driver)
    state, tree = found["state"], found["tree"]
    assert isinstance(state, dict)
    assert isinstance(tree, list)
    assert state["heavy"] == []
    assert state["reads_parquet"]
    assert state["interrupt_blocked"]
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for pid in tree
        for connection in psutil.Process(pid).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    token = tmp_path / "state" / "ray" / "token"
    mode = token.stat().st_mode & 0o777
    driver.send_signal(signal.SIGTERM)
    driver.communicate(timeout=60)
    assert listening <= {"127.0.0.1", "::1"}
    assert mode == 0o600


def test_ray_starts_twice_in_one_process(tmp_path: Path) -> None:
    for session in ("first", "second"):
        with RayRuntime(tmp_path / session, actors=1) as runtime:
            runtime.spawn([ChildSpec(role="a", factory="tests.actor.probes:probe")])
            assert runtime.alive("a")


def test_role_that_does_not_answer_is_busy_and_one_that_was_killed_has_ended(tmp_path: Path) -> None:
    with RayRuntime(tmp_path / "state", actors=1) as runtime:
        runtime.spawn([ChildSpec(role="a", factory="tests.actor.probes:probe")])
        process = psutil.Process(runtime.processes()["a"])
        process.suspend()
        with pytest.raises(Busy):
            runtime.snapshot("a", deadline_s=0.1)
        assert runtime.alive("a")
        process.resume()
        assert runtime.snapshot("a", deadline_s=10.0)["alive"]
        process.kill()
        assert left_after([process.pid], 10.0) == []
        assert not runtime.alive("a")
        with pytest.raises(NotRunning):
            runtime.snapshot("a")


def test_client_without_the_token_is_refused(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from ray._raylet import GcsClient\n"
        "try:\n"
        "    GcsClient(address=sys.argv[1])\n"
        "except Exception as error:\n"
        "    print('refused:', error)\n"
        "else:\n"
        "    print('connected')\n"
    )
    stranger = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    stranger.update(HOME=str(tmp_path), RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="0" * 64)
    with RayRuntime(tmp_path / "state", actors=1) as runtime:
        command = [sys.executable, "-c", script, runtime.address]
        done = subprocess.run(
            command, env=stranger, cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False
        )
    assert done.stdout.startswith("refused: "), done.stdout + done.stderr
    assert "InvalidAuthToken" in done.stdout


LATE = """
import os, signal, sys
from pathlib import Path
from supervisor.ray_runtime import RayRuntime
from supervisor.signals import StopSignals

with StopSignals() as stop:
    with RayRuntime(Path(sys.argv[1]), actors=2):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    print(stop.reason)
"""


def test_signal_that_comes_when_ray_is_down_is_counted_and_kills_nothing(tmp_path: Path) -> None:
    """C3: the venue, the session's end and the summary come after Ray, which lets go of SIGTERM to the system."""
    done = subprocess.run(
        [sys.executable, "-c", LATE, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "SIGTERM\n"), done.stderr
