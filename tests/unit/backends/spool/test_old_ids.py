"""Messages that Exim before 4.97 left in the queue: their ids are shorter, and they are as good as others."""

from __future__ import annotations

from pathlib import Path

from pillarbox.backends.spool.record import Kind, Record, events_parts, mark_parts
from pillarbox.backends.spool.waiting import WaitingRoom
from pillarbox.mail.progress import Settled
from pillarbox.system.durable import OsDisk
from pillarbox.wire.exim.spool_header import Owner

OLD = "1vMXYZ-0001Lk-Ab"
NEW = "1vMXYZ-000000001Lk-1abc"


def test_both_kinds_are_found_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "input"
    folder.mkdir()
    for name in (f"{NEW}-H", f"{NEW}-D", f"{OLD}-H", f"{OLD}-D", "1vMXYZ-0001Lk-H", "notes-H"):
        (folder / name).touch()
    room = WaitingRoom(str(tmp_path), OsDisk(), Owner("mail", 8, 8))
    assert room.ids() == [NEW, OLD]
    assert room.has_any(OLD)


def test_halves_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "input"
    folder.mkdir()
    for name in (f"{NEW}-D", f"{OLD}-D", f"{OLD}-H", "1vMXYZ-0001Lk-D"):
        (folder / name).touch()
    room = WaitingRoom(str(tmp_path), OsDisk(), Owner("mail", 8, 8))
    assert room.remove_leftovers(1e12) == [f"{NEW}-D"]


def test_records_name_both_kinds() -> None:
    for message_id in (OLD, NEW):
        events = [Settled("a@b", 1.0)]
        record = Record(Kind.EVENTS, events_parts(message_id, list(events)).facts)
        assert (record.message_id, record.events()) == (message_id, events)
        assert Record(Kind.DONE, mark_parts(Kind.DONE, message_id).facts).message_id == message_id
