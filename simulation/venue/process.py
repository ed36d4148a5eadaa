"""Run the venue as a process: `python -m simulation.venue.process --state DIR --settings FILE`."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from domain.errors import BreakwaterError, ConfigurationError, StateError
from simulation.venue.address import (
    Address,
    forget_address,
    new_socket_path,
    venue_directory,
    venue_lock,
    write_address,
)
from simulation.venue.durable import DurableVenue
from simulation.venue.server import VenueServer
from simulation.venue.settings import VenueSettings, read_settings
from storage.files import FileLock

BACKLOG = 16
LOCK_DEADLINE_S = 2.0

log = logging.getLogger("breakwater.venue")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the venue of a state directory until SIGTERM; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m simulation.venue.process", description=__doc__)
    parser.add_argument(
        "--state", type=Path, required=True, help="state directory; the venue's files are in venue/"
    )
    parser.add_argument("--settings", type=Path, required=True, help="VenueSettings as JSON")
    options = parser.parse_args(arguments)
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)sZ %(process)d %(levelname)s %(message)s"
    )
    try:
        settings = read_settings(_bytes_of(options.settings), str(options.settings))
        serve(options.state, settings)
    except BreakwaterError as error:
        log.critical("%s: %s", type(error).__name__, error)
        return error.exit_code
    return 0


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error}") from error


def serve(state_dir: Path, settings: VenueSettings) -> None:
    """Hold the state directory's venue and serve it until SIGTERM or SIGINT; raises StateError when it is held."""
    lock = _hold(state_dir)
    try:
        forget_address(state_dir)
        with DurableVenue(venue_directory(state_dir), settings) as venue:
            _listen(state_dir, venue)
    finally:
        lock.release()


def _hold(state_dir: Path) -> FileLock:
    """Take the lock; who only asks whether a venue runs holds it for a moment too, so try for a while."""
    directory = venue_directory(state_dir)
    directory.mkdir(parents=True, exist_ok=True)
    lock = venue_lock(state_dir)
    holder = lock.take(f"process {os.getpid()}", wait_s=LOCK_DEADLINE_S)
    if holder is not None:
        raise StateError(f"{directory}: another venue process has it ({holder}). Stop that one first.")
    return lock


def _listen(state_dir: Path, venue: DurableVenue) -> None:
    path = new_socket_path()
    address = Address(str(path), os.getpid(), os.urandom(32).hex())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(address.path)
            listener.listen(BACKLOG)
            server = VenueServer(venue, listener, address.token)
            signal.set_wakeup_fd(server.bell.fileno(), warn_on_full_buffer=False)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: server.stop())
            write_address(state_dir, address)
            log.info("listening; %d groups seen", venue.group + 1)
            server.run()
    finally:
        signal.set_wakeup_fd(-1)
        forget_address(state_dir)
        log.info("stopped")


if __name__ == "__main__":
    sys.exit(main())
