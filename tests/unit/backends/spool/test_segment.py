"""Segments: each use begins empty, whatever the one before has left; a head that is not whole counts for nothing."""

from __future__ import annotations

import errno

import pytest
from tests.support.simulated_disk import SimulatedDisk, drop_all, keep_some

from pillarbox.backends.spool.record import SECTOR, message_parts
from pillarbox.backends.spool.segment import (
    SMALLEST,
    Segment,
    begin_generation,
    create_segment,
    open_segment,
    segment_records,
)
from pillarbox.mail.envelope import Envelope, Origin

PATH = "/journal/00000001.segment"


def write_messages(disk: SimulatedDisk, segment: Segment, *bodies: bytes) -> None:
    pieces: list[bytes] = []
    for body in bodies:
        envelope = Envelope(
            id="1xVBlU-000000002vd-3Fbs", sender=None, recipients=(), origin=Origin(), received_at=1.0
        )
        message_parts(envelope, b"", body).lay_down(segment.key, pieces)
    disk.pwrite(segment.fd, b"".join(pieces), SECTOR)
    disk.fdatasync(segment.fd)


def bodies(disk: SimulatedDisk, segment: Segment) -> list[bytes]:
    return [record.body for _, record in segment_records(disk, segment)]


def test_next_use_sees_nothing_of_the_one_before() -> None:
    disk = SimulatedDisk()
    segment = create_segment(disk, PATH, 8192)
    begin_generation(disk, segment, 1)
    write_messages(disk, segment, b"old 1", b"old 2", b"old 3")
    assert bodies(disk, open_segment(disk, PATH)) == [b"old 1", b"old 2", b"old 3"]
    begin_generation(disk, segment, 2)
    assert bodies(disk, open_segment(disk, PATH)) == []
    write_messages(disk, segment, b"new 1")
    opened = open_segment(disk, PATH)
    assert (opened.generation, opened.capacity, bodies(disk, opened)) == (2, 8192, [b"new 1"])


def test_new_use_is_durable_before_its_first_record() -> None:
    disk = SimulatedDisk()
    segment = create_segment(disk, PATH, 8192)
    begin_generation(disk, segment, 1)
    write_messages(disk, segment, b"old")
    begin_generation(disk, segment, 2)
    after = disk.survivors(len(disk.log), drop_all)
    assert open_segment(after, PATH).generation == 2
    assert bodies(after, open_segment(after, PATH)) == []


def test_head_is_old_or_new_or_nothing_at_every_cut() -> None:
    disk = SimulatedDisk()
    segment = create_segment(disk, PATH, 8192)
    for generation in range(1, 4):
        begin_generation(disk, segment, generation)
    for cut in range(len(disk.log) + 1):
        after = disk.survivors(cut, keep_some(cut))
        for name in after.names("/journal"):
            assert open_segment(after, f"/journal/{name}").generation in range(4)


def test_damaged_head_counts_for_nothing() -> None:
    disk = SimulatedDisk()
    segment = create_segment(disk, PATH, 8192)
    begin_generation(disk, segment, 1)
    write_messages(disk, segment, b"x")
    disk.pwrite(segment.fd, b"?", 9)
    opened = open_segment(disk, PATH)
    assert (opened.generation, bodies(disk, opened)) == (0, [])


def test_smaller_segment_when_the_disk_is_small() -> None:
    disk = SimulatedDisk(room=17 * SMALLEST)
    assert create_segment(disk, PATH, 16 * SMALLEST).capacity == 4 * SMALLEST
    disk.room = 8 * SMALLEST - 1
    with pytest.raises(OSError, match="No space") as caught:
        create_segment(disk, "/journal/00000002.segment", 16 * SMALLEST)
    assert caught.value.errno == errno.ENOSPC
    assert disk.names("/journal") == ["00000001.segment"]
