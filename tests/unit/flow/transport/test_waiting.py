"""Messages that wait for hosts."""

from __future__ import annotations

from tests.support.clock import JumpClock

from pillarbox.backends.hints.records import MemoryRecords
from pillarbox.flow.transport import waiting
from pillarbox.flow.transport.waiting import Waiting


def _waiting(there: set[str]) -> tuple[Waiting, MemoryRecords, list[str]]:
    records, begun = MemoryRecords(), list[str]()
    return Waiting(records, JumpClock(), there.__contains__, begun.append), records, begun


def test_the_first_who_waits_is_next_and_waits_no_more() -> None:
    one, _, _ = _waiting({"A", "B"})
    one.note("A", "out", ["mx.example", "mx.example", "other.example"])
    one.note("B", "out", ["mx.example"])
    assert one.next_for("out", "mx.example", "C") == "A"
    assert one.next_for("out", "mx.example", "A") == "B"
    assert one.next_for("out", "mx.example", "B") is None
    assert one.next_for("out", "other.example", "A") is None
    assert one.next_for("in", "mx.example", "C") is None


def test_who_is_asked_about_waits_on() -> None:
    one, records, _ = _waiting({"A", "B"})
    for message_id in ("gone", "A", "B"):
        one.note(message_id, "out", ["mx.example"])
    assert one.is_wanted("out", "mx.example", "A")
    record = records.read("wait-out", "mx.example")
    assert record is not None
    assert record.text == "B"
    assert not one.is_wanted("out", "mx.example", "B")
    assert one.next_for("out", "mx.example", "C") is None


def test_those_that_are_gone_are_forgotten() -> None:
    there = {"A", "B"}
    one, records, _ = _waiting(there)
    for message_id in ("A", "B"):
        one.note(message_id, "out", ["mx.example"])
    there.clear()
    assert one.next_for("out", "mx.example", "C") is None
    record = records.read("wait-out", "mx.example")
    assert record is not None
    assert not record.text


def test_so_many_are_known_at_most() -> None:
    ids = [f"M{number}" for number in range(waiting.MOST + 5)]
    one, records, _ = _waiting(set(ids))
    for message_id in (*ids, "M0"):
        one.note(message_id, "out", ["mx.example"])
    record = records.read("wait-out", "mx.example")
    assert record is not None
    assert record.text.split() == ids[: waiting.MOST]


def test_an_attempt_is_begun() -> None:
    one, _, begun = _waiting(set())
    one.begin("A")
    assert begun == ["A"]
