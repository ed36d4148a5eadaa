"""Carry a lowered halt latch to those who hold it: the gateway first, then the risk manager.

The gateway comes first, so that no approval of a risk manager that trades again meets the old latch. Both are told
again until they say that they hold it: any word may be lost.
"""

from __future__ import annotations

from typing import NamedTuple

from domain.awaited import LATCH_ASKS, Awaited
from domain.halt_messages import HaltReviewed, LatchChanged
from domain.halts import HaltLadder
from domain.messages import GATEWAY, RISK
from domain.outputs import Output, Send
from domain.records import HaltTrigger

HELD_TIMER = "latch_held"
RISK_TIMER = "latch_risk"
HOLDERS = {HELD_TIMER: GATEWAY, RISK_TIMER: RISK}
"""Whose word each timer waits for."""


class _ReviewDue(NamedTuple):
    """Be a review whose answer waits until the gateway holds the latch at `version`."""

    version: int
    bar: int
    new_peak: bool


class Lowering:
    """Know what was lowered, who does not hold it yet, and whose answer waits for that."""

    def __init__(self, ladder: HaltLadder, answer_deadline_s: float) -> None:
        """Go on with what `ladder.lowered` says was not held when it was saved, once `resumed` is called."""
        self._ladder = ladder
        self._review: _ReviewDue | None = None
        self._waits = {
            GATEWAY: Awaited(HELD_TIMER, answer_deadline_s, LATCH_ASKS),
            RISK: Awaited(RISK_TIMER, answer_deadline_s, LATCH_ASKS),
        }
        self._asked = ""

    def latch(self, to: str, *, lowers: bool = False, heard: tuple[HaltTrigger, ...] = ()) -> Send:
        """Tell `to` how the ladder stands; while a person's resume, or a review, is on its way there, it lowers.

        Else the gateway would take the version of the lowering that was lost for one that it holds.
        """
        ladder, lowered = self._ladder, self._ladder.lowered
        lowers_by_person = lowered is not None and to == self._asked
        review = self._review if to == GATEWAY else None
        latch = LatchChanged(
            rung=ladder.rung,
            lowers=lowers or lowers_by_person or review is not None,
            version=ladder.version,
            active=ladder.active,
            bar=-1 if review is None else review.bar,
            heard=heard,
            scoped=ladder.scoped,
            new_peak=lowers_by_person and to == RISK and lowered is not None and lowered[1],
        )
        return Send(to, latch, True)

    # --- a review -----------------------------------------------------------------------------------------------------

    def reviewed(self, bar: int, *, new_peak: bool) -> list[Output]:
        """Tell the gateway of a review; its answer to the risk manager waits for the gateway's word.

        The gateway is told also when nothing ends now: a crash may have swallowed an earlier lowering.
        """
        waiting = self._review
        new_peak = new_peak or (waiting is not None and waiting.new_peak)
        self._review = _ReviewDue(self._ladder.version, bar, new_peak)
        timer = [] if waiting is not None or self._asked == GATEWAY else [self._waits[GATEWAY].asked()]
        return [self.latch(GATEWAY), *timer]

    # --- a person's resume --------------------------------------------------------------------------------------------

    def resumed(self) -> list[Output]:
        """Carry what a person lowered to the gateway; also after a restart, and once more where it is under way."""
        if self._ladder.lowered is None:
            return []
        before, self._asked = self._asked, GATEWAY
        other = [self._waits[RISK].answered()] if before == RISK else []
        timer = [] if self._review is not None else [self._waits[GATEWAY].asked()]
        return [*other, self.latch(GATEWAY), *timer]

    @property
    def under_way(self) -> bool:
        """Say whether a person's resume is not yet held by both."""
        return self._ladder.lowered is not None

    # --- the words of who holds it ------------------------------------------------------------------------------------

    def held(self, role: str, version: int) -> list[Output]:
        """Note that `role` holds the latch at `version`; once the risk manager does, nothing stands in `lowered`."""
        return self._gateway_holds(version) if role == GATEWAY else self._risk_holds(version)

    def overdue(self, timer: str) -> list[Output]:
        """Tell the silent one once more; raises Unanswered when it was told often enough."""
        role = HOLDERS[timer]
        if self._asked != role and not (role == GATEWAY and self._review is not None):
            return []
        again = self._waits[role].again(f"word that the {role} holds the lowered halt latch")
        return [self.latch(role, lowers=role == GATEWAY), again]

    def _gateway_holds(self, version: int) -> list[Output]:
        outputs: list[Output] = []
        review, lowered = self._review, self._ladder.lowered
        if review is not None and version >= review.version:
            self._review = None
            outputs.append(self._answer(review))
        if self._asked == GATEWAY and lowered is not None and version >= lowered[0]:
            self._asked = RISK
            outputs += [self.latch(RISK), self._waits[RISK].asked()]
        done = bool(outputs) and self._review is None and self._asked != GATEWAY
        return [self._waits[GATEWAY].answered(), *outputs] if done else outputs

    def _risk_holds(self, version: int) -> list[Output]:
        lowered = self._ladder.lowered
        if self._asked != RISK or lowered is None or version < lowered[0]:
            return []
        self._asked, self._ladder.lowered = "", None
        return [self._waits[RISK].answered()]

    def _answer(self, review: _ReviewDue) -> Send:
        """Answer a review with the ladder as it is now: it may have been raised since.

        In the control lane, like every latch: an older answer that is overtaken by a raised latch would undo it.
        """
        ladder = self._ladder
        answer = HaltReviewed(
            bar=review.bar,
            rung=ladder.rung,
            version=ladder.version,
            active=ladder.active,
            new_peak=review.new_peak,
        )
        return Send(RISK, answer, True)
