"""Attack the venue's socket: strangers, rubbish, half frames, giants and clients that do not read."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from domain.broker import (
    BrokerUpdate,
    CancelMany,
    CancelOrder,
    ClosePosition,
    Downloaded,
    DownloadKind,
    Executed,
    RequestDownload,
)
from domain.messages import BarsPublished, TimerFired
from simulation.venue import server as server_module
from simulation.venue.durable import DurableVenue
from simulation.venue.frames import (
    LINK_CODEC,
    MAX_FROM_VENUE,
    MAX_TO_VENUE,
    ClientRole,
    FrameReader,
    Hello,
    Welcome,
    framed,
)
from simulation.venue.server import MAX_CLIENTS, VenueServer
from tests.contract.venue_world import bar, buy, fills, group, settings

TOKEN = "right"
DEADLINE_S = 20.0
FLAT = bar("A", 100.0, 100.0, 100.0, 100.0)


class Wire:
    """Be a client made by hand."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect(str(path))
        self.reader = FrameReader(MAX_FROM_VENUE)

    def say(self, message: object) -> None:
        self.socket.sendall(framed(LINK_CODEC.encode(message)))

    def hear(self) -> object:
        """Return the next message; None when the connection ended."""
        while (payload := self.reader.next()) is None:
            try:
                data = self.socket.recv(2**18)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.reader.feed(data)
        return LINK_CODEC.decode(payload)


Connect = Callable[..., Wire]


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Serve a venue in a thread; fail the test if the server died."""
    place, ready, died = Path("/tmp") / f"bwt-{time.monotonic_ns()}", threading.Event(), []
    servers: list[VenueServer] = []

    def serve() -> None:
        try:
            with (
                DurableVenue(tmp_path, settings()) as venue,
                socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
            ):
                listener.bind(str(place))
                listener.listen(32)
                servers.append(VenueServer(venue, listener, TOKEN))
                ready.set()
                servers[0].run()
        except BaseException as error:
            died.append(error)
            raise

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(DEADLINE_S)
    bell = servers[0].bell
    yield place
    bell.send(b"x")  # as a signal does: the bell first, for a stopped server has closed it
    servers[0].stop()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert died == []
    place.unlink()


@pytest.fixture
def connect(path: Path) -> Iterator[Connect]:
    wires: list[Wire] = []

    def made(role: ClientRole | None = None) -> Wire:
        wire = Wire(path)
        wires.append(wire)
        if role is not None:
            wire.say(Hello(role=role, token=TOKEN))
            assert isinstance(wire.hear(), Welcome)
        return wire

    yield made
    for wire in wires:
        wire.socket.close()


def still_serves(connect: Connect) -> None:
    gateway = connect(ClientRole.GATEWAY)
    gateway.say(CancelOrder(order_ref="none"))
    assert isinstance(gateway.hear(), BrokerUpdate)


@pytest.mark.parametrize(
    "first",
    [
        framed(LINK_CODEC.encode(Hello(role=ClientRole.GATEWAY, token="wrong"))),
        framed(LINK_CODEC.encode(Hello(role=ClientRole.GATEWAY, token="é"))),
        framed(LINK_CODEC.encode(buy("o", "A", 1))),
        framed(b"{}"),
        framed(b"\xff\xfe"),
        framed(b"[" * 100_000),
        b"\x00\x00\x00\x00",
        (MAX_TO_VENUE + 1).to_bytes(4, "big"),
        b"\xff" * 64,
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_a_stranger_is_dropped_and_the_venue_serves_on(connect: Connect, first: bytes) -> None:
    stranger = connect()
    stranger.socket.sendall(first)
    assert stranger.hear() is None
    still_serves(connect)


@pytest.mark.parametrize(
    ("role", "message"),
    [
        (ClientRole.GATEWAY, group(0, FLAT)),
        (ClientRole.GATEWAY, TimerFired(name="x")),
        (ClientRole.GATEWAY, Hello(role=ClientRole.GATEWAY, token=TOKEN)),
        (ClientRole.GATEWAY, CancelMany(order_refs=("o",), why="")),
        (ClientRole.GATEWAY, ClosePosition(order=buy("o", "A", 1), executions=0)),
        (ClientRole.KILL, buy("o", "A", 1)),
        (ClientRole.KILL, group(0, FLAT)),
        (ClientRole.MARKET, buy("o", "A", 1)),
        (ClientRole.MARKET, CancelMany(order_refs=("o",), why="")),
        (ClientRole.MARKET, group(0, bar("A", 100.0, 90.0, 100.0, 100.0))),
        (ClientRole.MARKET, group(0, bar("A", -1.0, 1.0, -1.0, 1.0))),
        (ClientRole.MARKET, group(-1, FLAT)),
    ],
)
def test_a_client_that_says_what_is_not_its_to_say_is_dropped(
    connect: Connect, role: ClientRole, message: object
) -> None:
    client = connect(role)
    client.say(message)
    assert client.hear() is None
    still_serves(connect)


def test_a_frame_may_come_in_pieces_and_many_at_once(connect: Connect) -> None:
    gateway, market = connect(ClientRole.GATEWAY), connect(ClientRole.MARKET)
    for byte in framed(LINK_CODEC.encode(buy("o", "A", 5))):
        gateway.socket.sendall(bytes([byte]))
    assert isinstance(gateway.hear(), BrokerUpdate)
    market.socket.sendall(b"".join(framed(LINK_CODEC.encode(group(index, FLAT))) for index in range(50)))
    heard = [gateway.hear() for _ in range(50)]
    assert [update.advanced for update in heard if isinstance(update, BrokerUpdate)] == list(range(50))


def test_a_client_that_dies_within_a_frame_changes_nothing(connect: Connect) -> None:
    gateway = connect(ClientRole.GATEWAY)
    gateway.socket.sendall(framed(LINK_CODEC.encode(buy("o", "A", 5)))[:-1])
    gateway.socket.close()
    again = connect(ClientRole.GATEWAY)
    again.say(RequestDownload(request_id=1, kind=DownloadKind.OPEN_ORDERS))
    update = again.hear()
    assert isinstance(update, BrokerUpdate)
    (answer,) = update.events
    assert isinstance(answer, Downloaded)
    assert answer.orders == ()


def test_a_newer_gateway_replaces_the_older(connect: Connect, path: Path) -> None:
    older = connect(ClientRole.GATEWAY)
    newer = Wire(path)
    newer.say(Hello(role=ClientRole.GATEWAY, token=TOKEN))
    welcome = newer.hear()
    assert isinstance(welcome, Welcome)
    assert welcome.connection == 2
    assert older.hear() is None
    newer.say(buy("o", "A", 5))
    assert isinstance(newer.hear(), BrokerUpdate)
    newer.socket.close()


def test_a_market_that_connects_learns_how_far_the_venue_is(connect: Connect, path: Path) -> None:
    gateway, market = connect(ClientRole.GATEWAY), connect(ClientRole.MARKET)
    market.say(group(7, FLAT))
    assert isinstance(gateway.hear(), BrokerUpdate)
    again = Wire(path)
    again.say(Hello(role=ClientRole.MARKET, token=TOKEN))
    assert again.hear() == Welcome(at_ns=8 * 60_000_000_000, connection=0, group=7)
    again.socket.close()


def test_what_nobody_heard_is_in_the_downloads(connect: Connect) -> None:
    gateway, market = connect(ClientRole.GATEWAY), connect(ClientRole.MARKET)
    gateway.say(buy("o", "A", 5))
    gateway.hear()
    gateway.socket.close()
    market.say(group(0, FLAT))
    again = connect(ClientRole.GATEWAY)
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        again.say(RequestDownload(request_id=1, kind=DownloadKind.EXECUTIONS))
        update = again.hear()
        assert isinstance(update, BrokerUpdate)
        if isinstance(update.events[0], Executed):
            break  # the group came after the new connection
        assert isinstance(update.events[0], Downloaded)
        if update.events[0].executions:
            break
    else:
        pytest.fail("the fill never showed")


def test_commands_sent_before_bars_are_handled_before_them(connect: Connect) -> None:
    """Each order is written before the bars are, on another connection: it must fill at just these bars."""
    gateway, market = connect(ClientRole.GATEWAY), connect(ClientRole.MARKET)
    for index in range(200):
        gateway.say(buy(f"o{index}", "A", 1))
        market.say(group(index, FLAT))
        found: list[tuple[str, int, float]] = []
        for _ in range(2):
            update = gateway.hear()
            assert isinstance(update, BrokerUpdate)
            found += fills(update.events)
        assert found == [(f"o{index}", 1, 100.0)]


def test_a_client_that_does_not_read_is_dropped_at_the_bound(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "MAX_BACKLOG", 2**20)
    gateway, market = connect(ClientRole.GATEWAY), connect(ClientRole.MARKET)
    market.say(group(0, FLAT))
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        _say_without_listening(gateway)
    still_serves(connect)


def _say_without_listening(gateway: Wire) -> None:
    """Send far more than the venue may keep the answers of."""
    for number in range(100_000):
        gateway.say(CancelOrder(order_ref=f"{number:0>400}"))


def test_a_silent_client_is_dropped_after_its_deadline(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "HELLO_DEADLINE_S", 0.2)
    silent = connect()
    assert silent.hear() is None
    still_serves(connect)


def test_connections_are_bounded(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = [connect() for _ in range(MAX_CLIENTS)]
    assert connect().hear() is None
    crowd[0].socket.close()
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        wire = connect()
        wire.say(Hello(role=ClientRole.GATEWAY, token=TOKEN))
        if isinstance(wire.hear(), Welcome):
            return
    pytest.fail("a place that came free was not given away")


def test_five_hundred_symbols_pass_in_one_frame(connect: Connect) -> None:
    gateway, market = connect(ClientRole.GATEWAY), connect(ClientRole.MARKET)
    many = BarsPublished(group=group(3, *(FLAT._replace(symbol=f"S{n}") for n in range(500))).group)
    market.say(many)
    update = gateway.hear()
    assert isinstance(update, BrokerUpdate)
    assert update.advanced == 3
