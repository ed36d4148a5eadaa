"""Hold the messages that are on their way: in order by channel, held back where they are late, lost with a process."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, NamedTuple

from domain.errors import InvariantViolation
from simulation.inline import VirtualClock


class Channel(NamedTuple):
    """Be the way of messages that keep their order: one sender, one receiver, one lane or connection.

    Lanes of odd number are control lanes.
    """

    sender: str
    to: str
    lane: int


class Letter(NamedTuple):
    """Be one message on its way."""

    channel: Channel
    message: Any


class Post:
    """Keep what waits in mailboxes, what is late, and what is to be done at a later time."""

    def __init__(self, clock: VirtualClock, is_there: Callable[[str], bool]) -> None:
        """Deliver by `clock` to roles that are there; what is for others is lost."""
        self._clock, self._is_there = clock, is_there
        self._waiting: tuple[deque[Letter], deque[Letter]] = (deque(), deque())
        self._late: list[tuple[float, int, Letter]] = []
        self._acts: list[tuple[float, int, Callable[[], None]]] = []
        self._held_until: dict[Channel, float] = {}
        self._numbers = 0
        self._shuffles, self._chance = 0, random.Random(0)

    def queue(self, letter: Letter, delay_s: float = 0.0) -> None:
        """Put `letter` into its receiver's mailbox, behind what its channel holds back."""
        channel = letter.channel
        now_s = self._clock.now_s
        due_s = now_s + delay_s
        held = channel in self._held_until  # though it be due: what it holds back was not delivered yet
        if held:
            due_s = max(due_s, self._held_until[channel])
        if held or due_s > now_s:
            self._held_until[channel] = due_s
            heappush(self._late, (due_s, self._number(), letter))
        elif self._is_there(channel.to):
            self._waiting[channel.lane % 2].append(letter)

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Do `act` when `delay_s` virtual seconds have passed."""
        heappush(self._acts, (self._clock.now_s + delay_s, self._number(), act))

    def shuffle(self, deliveries: int, seed: float) -> None:
        """Take the next `deliveries` in an order of their own, but for that of each channel."""
        self._shuffles, self._chance = deliveries, random.Random(seed)

    def next(self) -> Letter | None:
        """Take the next letter: control first, and one of another channel where deliveries are reordered."""
        normal, control = self._waiting
        lane = control or normal
        if not lane:
            return None
        if self._shuffles <= 0 or len(lane) == 1:
            return lane.popleft()
        self._shuffles -= 1
        channel = lane[self._chance.randrange(len(lane))].channel
        for place, letter in enumerate(lane):
            if letter.channel == channel:
                del lane[place]
                return letter
        raise InvariantViolation("a channel that was drawn holds no letter")

    def lose(self, which: Callable[[Letter], bool]) -> None:
        """Lose every letter of those."""
        for lane in self._waiting:
            kept = [letter for letter in lane if not which(letter)]
            lane.clear()
            lane.extend(kept)
        self._late = sorted(entry for entry in self._late if not which(entry[2]))
        still = {entry[2].channel for entry in self._late}
        self._held_until = {channel: due for channel, due in self._held_until.items() if channel in still}

    def forget(self, role: str) -> None:
        """Lose what is for a role whose process ended; its next one waits behind nothing the last one sent."""
        self.lose(lambda letter: letter.channel.to == role)
        self._held_until = {way: due for way, due in self._held_until.items() if way.sender != role}

    def underway(self, which: Callable[[Letter], bool]) -> list[Letter]:
        """Return the letters of those, as they would arrive."""
        late = [entry[2] for entry in sorted(self._late, key=lambda entry: entry[:2])]
        return [letter for letter in (*self._waiting[1], *self._waiting[0], *late) if which(letter)]

    def wait_s(self) -> float | None:
        """Return the seconds until something is due, None where nothing will be."""
        waits = [heap[0][0] for heap in (self._late, self._acts) if heap]
        return max(0.0, min(waits) - self._clock.now_s) if waits else None

    def fall_due(self) -> None:
        """Put what is late no more into its mailbox, and do what is due."""
        now_s = self._clock.now_s
        while self._late and self._late[0][0] <= now_s:
            _, _, letter = heappop(self._late)
            if self._held_until.get(letter.channel, now_s) <= now_s:
                self._held_until.pop(letter.channel, None)
            if self._is_there(letter.channel.to):
                self._waiting[letter.channel.lane % 2].append(letter)
        while self._acts and self._acts[0][0] <= now_s:
            heappop(self._acts)[2]()

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers
