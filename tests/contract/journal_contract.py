"""Hold every `Journal` to its contract: subclass, and provide the fixture `journal`."""

from __future__ import annotations

import pytest

from domain.errors import DurabilityError, InvariantViolation, StateError
from domain.ports import Journal
from domain.records import MachineSnapshot, OrderState, Record
from tests.fakes.records import dividend, equity, event, execution, halt, order


class JournalContract:
    """Name the rules that a journal keeps; each runs against every implementation."""

    def test_events_are_numbered_from_one_without_gaps(self, journal: Journal) -> None:
        assert journal.append([event(1), event(2)]) == (1, 2)
        assert journal.append([order(1), event(3)]) == (3, 3)
        first, last = journal.append([order(2)])
        assert (first, last) == (4, 3), "first > last says that none was numbered"
        assert journal.append([]) == (4, 3)
        assert journal.append([event(4)]) == (4, 4)

    def test_entries_come_in_sequence_across_kinds(self, journal: Journal) -> None:
        written: list[Record] = [
            order(1),
            execution(2, "e1"),
            dividend(3, "p1"),
            order(4, "other"),
            execution(5, "e2", "e1"),
        ]
        journal.append(written[:2])
        journal.append(written[2:])
        assert list(journal.entries(0, 100)) == written
        assert list(journal.entries(2, 2)) == written[2:4]
        assert list(journal.entries(5, 100)) == []

    def test_an_order_appears_once_with_its_newest_state(self, journal: Journal) -> None:
        journal.append([order(1), order(2, "other")])
        newest = order(3, state=OrderState.FILLED, filled_lots=10, text="done")
        journal.append([newest])
        assert list(journal.entries(0, 100)) == [order(2, "other"), newest]
        assert list(journal.orders()) == [order(2, "other"), newest]
        assert list(journal.entries(1, 1)) == [order(2, "other")]

    def test_outbox_answers_from_a_cursor(self, journal: Journal) -> None:
        events = [event(n, nested={"b": [1, 2.5, None], "a": "é"}) for n in range(1, 6)]
        journal.append(events[:2])
        journal.append(events[2:])
        assert journal.outbox(0, 2) == (1, events[:2])
        assert journal.outbox(2, 100) == (3, events[2:])
        assert journal.outbox(5, 100) == (6, [])

    def test_outbox_refuses_a_cursor_beyond_its_end(self, journal: Journal) -> None:
        journal.append([event(1)])
        with pytest.raises(StateError, match="event 5"):
            journal.outbox(5, 10)

    def test_acknowledged_events_never_lend_their_number_again(self, journal: Journal) -> None:
        journal.append([event(1), event(2)])
        journal.acknowledge(2)
        assert journal.append([event(3)]) == (3, 3)
        assert journal.outbox(2, 10) == (3, [event(3)])

    def test_acknowledging_what_was_never_given_is_a_contradiction(self, journal: Journal) -> None:
        with pytest.raises(InvariantViolation):
            journal.acknowledge(1)

    def test_newest_snapshot_of_a_name_replaces_the_older(self, journal: Journal) -> None:
        older = MachineSnapshot(name="risk", bar=1, at_ns=1, values={"peak": 1.0})
        newer = MachineSnapshot(name="risk", bar=2, at_ns=2, values={"peak": 1.1, "day": {"start": [1, 2]}})
        other = MachineSnapshot(name="desk", bar=1, at_ns=1, values={})
        journal.append([older, other, newer])
        assert journal.snapshot("risk") == newer
        assert journal.snapshot("desk") == other
        assert journal.snapshot("gateway") is None

    @pytest.mark.parametrize(
        "twice",
        [
            [execution(2, "e1"), order(3)],
            [order(2), execution(3, "e1")],
            [order(2), execution(3, "e9"), execution(4, "e9")],
            [order(2), dividend(3, "p9"), dividend(4, "p9")],
        ],
    )
    def test_an_execution_or_payment_is_booked_once_and_nothing_is_taken_with_it(
        self, journal: Journal, twice: list[Record]
    ) -> None:
        """Reliability I2."""
        journal.append([execution(1, "e1"), event(1)])
        with pytest.raises(InvariantViolation, match="twice"):
            journal.append([*twice, event(2)])
        assert list(journal.entries(0, 10)) == [execution(1, "e1")]
        assert journal.append([order(2), event(2)]) == (2, 2)

    def test_a_correction_is_kept_beside_what_it_replaces(self, journal: Journal) -> None:
        journal.append([execution(1, "e1"), execution(2, "e1.02", corrects="e1")])
        assert list(journal.entries(0, 10)) == [execution(1, "e1"), execution(2, "e1.02", corrects="e1")]

    @pytest.mark.parametrize("seq", [0, 1, 3])
    def test_a_number_out_of_sequence_is_refused(self, journal: Journal, seq: int) -> None:
        journal.append([order(1)])
        with pytest.raises(InvariantViolation):
            journal.append([order(seq, "other")])

    def test_halt_versions_only_rise(self, journal: Journal) -> None:
        journal.append([halt(1), halt(2), equity(7)])
        with pytest.raises(InvariantViolation):
            journal.append([halt(2)])

    def test_what_is_no_record_is_refused(self, journal: Journal) -> None:
        with pytest.raises(InvariantViolation, match="str"):
            journal.append(["order"])  # type: ignore[list-item]

    def test_flush_changes_nothing_that_a_reader_sees(self, journal: Journal) -> None:
        journal.flush()
        journal.append([order(1), event(1)])
        journal.flush()
        journal.flush()
        assert list(journal.entries(0, 10)) == [order(1)]
        assert journal.append([order(2), event(2)]) == (2, 2)

    def test_a_closed_journal_takes_nothing(self, journal: Journal) -> None:
        journal.append([event(1)])
        journal.close()
        journal.close()
        with pytest.raises(DurabilityError):
            journal.append([event(2)])
