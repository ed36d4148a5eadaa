"""Reach a venue process to kill: a connection of its own, beside the gateway's and the market's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from domain.broker import BrokerUpdate, KillCommand
from domain.errors import BrokerUnavailable, CodecError
from simulation.venue.address import venue_directory
from simulation.venue.frames import LINK_CODEC, ClientRole, FrameError, framed
from simulation.venue.link import VenueConnection


class VenueKill:
    """Be the kill's port to a venue process (port: `domain.ports.KillPort`).

    Whoever trades there stays connected: the venue tells its gateway what the kill changed.
    """

    def __init__(self, state_dir: Path) -> None:
        """Reach the venue of `state_dir`; nothing happens before `open`."""
        self._state_dir = state_dir
        self._connection: VenueConnection | None = None

    def open(self, within_s: float) -> None:
        """Connect, anew where it was connected; raises BrokerUnavailable."""
        self.close()
        self._connection = VenueConnection(self._state_dir, ClientRole.KILL, within_s)

    def ask(self, commands: Sequence[KillCommand], within_s: float) -> list[BrokerUpdate]:
        """Send `commands` in one piece and return the answer to each, which the venue gives in their order.

        One piece, so that downloads which belong together are answered at one moment of the venue. Raises
        BrokerUnavailable where an answer is missing: any command may have been carried out, and the port is closed.
        """
        connection = self._connection
        if connection is None:
            raise BrokerUnavailable("not connected to the venue: open the connection first")
        until = time.monotonic() + within_s
        answers: list[BrokerUpdate] = []
        try:
            connection.socket.settimeout(within_s)
            connection.socket.sendall(b"".join(framed(LINK_CODEC.encode(each)) for each in commands))
            while len(answers) < len(commands):
                connection.socket.settimeout(max(until - time.monotonic(), 0.001))
                answers.append(_update(connection.receive()))
        except (OSError, CodecError, FrameError) as error:
            self.close()
            raise BrokerUnavailable(
                f"{venue_directory(self._state_dir)}: {len(answers)} of {len(commands)} answers came: {error}"
            ) from error
        return answers

    def close(self) -> None:
        """Disconnect; harmless when closed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _update(message: object | None) -> BrokerUpdate:
    if isinstance(message, BrokerUpdate):
        return message
    raise FrameError(
        "the venue closed the connection" if message is None else f"found {type(message).__name__}"
    )
