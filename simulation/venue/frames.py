"""Frame messages on a stream socket: four bytes of length, big endian, then that many bytes of JSON."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from domain.codec import WIRE_CLASSES, Codec
from domain.errors import Recoverable
from domain.strict_json import read_json

MAX_TO_VENUE = 16 * 2**20
"""Bytes of the largest frame the venue takes: a group of some 150,000 bars."""

MAX_FROM_VENUE = 1024 * 2**20
"""Bytes of the largest frame a client takes: a download of some four million executions."""

_HEADER = 4


class FrameError(Recoverable):
    """Refuse a stream whose next frame cannot be one; the connection is of no more use."""


class ClientRole(StrEnum):
    """Name who connects: the gateway sends commands and hears updates, the market sends bars, a kill ends it all."""

    GATEWAY = "gateway"
    MARKET = "market"
    KILL = "kill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Say, first thing on a connection, who connects; `token` is from the address file."""

    role: ClientRole
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """Answer a hello: the venue's time, the gateway's connection number (0 for the others), the last group handled."""

    at_ns: int
    connection: int
    group: int


def _read(data: bytes) -> Any:
    """Return what the JSON text `data` says, quickly where it is written as we write it, and strictly anyhow.

    What comes back as the very same bytes has no field twice, no number out of range and nothing else that orjson
    would pass over.
    """
    try:
        found = orjson.loads(data)
        if orjson.dumps(found) == data:
            return found
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass  # the strict reader says what is wrong
    return read_json(data)


LINK_CODEC = Codec((*WIRE_CLASSES, ClientRole, Hello, Welcome), orjson.dumps, _read)


def framed(payload: bytes) -> bytes:
    """Return `payload` with its length before it."""
    return len(payload).to_bytes(_HEADER, "big") + payload


class FrameReader:
    """Cut a stream of bytes into frames of at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        """Start with nothing read."""
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes as they came."""
        self._buffer += data

    def next(self) -> bytes | None:
        """Return the next whole frame, or None until more bytes came; raises FrameError for an impossible length."""
        if len(self._buffer) < _HEADER:
            return None
        size = int.from_bytes(self._buffer[:_HEADER], "big")
        if not 0 < size <= self._limit:
            raise FrameError(f"a frame of {size} bytes; allowed: 1 to {self._limit}")
        if len(self._buffer) < _HEADER + size:
            return None
        payload = bytes(self._buffer[_HEADER : _HEADER + size])
        del self._buffer[: _HEADER + size]
        return payload
