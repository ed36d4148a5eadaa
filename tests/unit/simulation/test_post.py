"""Hold the fault search's post to the order that real processes' messages keep, and to no more."""

from __future__ import annotations

from simulation.chaos.post import Channel, Letter, Post
from simulation.inline import VirtualClock

WAY = Channel("risk", "gateway", 0)
LATE_S = 2.0


def arrived(post: Post) -> list[str]:
    found = []
    while (letter := post.next()) is not None:
        found.append(letter.message)
    return found


def posted() -> tuple[Post, VirtualClock]:
    """Return a post with a letter of the risk manager underway for two seconds."""
    clock = VirtualClock()
    post = Post(clock, lambda role: True)
    post.queue(Letter(WAY, "late"), LATE_S)
    return post, clock


def test_what_one_process_sends_waits_behind_what_it_sent_before() -> None:
    post, clock = posted()
    post.queue(Letter(WAY, "behind it"))
    post.queue(Letter(Channel("feed", "gateway", 0), "of another"))
    assert arrived(post) == ["of another"]
    clock.now_s = LATE_S
    post.fall_due()
    assert arrived(post) == ["late", "behind it"]


def test_what_is_sent_once_the_late_is_due_waits_behind_it_still() -> None:
    """A connection keeps its order though nobody has looked yet whether anything is due."""
    post, clock = posted()
    clock.now_s = LATE_S + 0.5
    post.queue(Letter(WAY, "behind it"))
    assert arrived(post) == []
    post.fall_due()
    assert arrived(post) == ["late", "behind it"]
    post.queue(Letter(WAY, "at once"))
    assert arrived(post) == ["at once"]


def test_what_a_new_process_sends_overtakes_what_the_last_one_sent() -> None:
    post, clock = posted()
    post.forget("risk")
    post.queue(Letter(WAY, "of its next life"))
    assert arrived(post) == ["of its next life"]
    clock.now_s = LATE_S
    post.fall_due()
    assert arrived(post) == ["late"]


def test_what_is_for_a_process_that_ended_is_lost() -> None:
    post, clock = posted()
    post.forget("gateway")
    clock.now_s = LATE_S
    post.fall_due()
    assert arrived(post) == []
