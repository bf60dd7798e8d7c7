"""Which messages an mbox holds, and what of them is shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pillarbox.backends.mailstore.mbox import scan as scanning
from pillarbox.backends.mailstore.mbox.headers import date_of, flags_of, from_line, without_volatile
from pillarbox.backends.mailstore.mbox.scan import Snapshot, read, scan

LINE = b"From a@b Mon Nov 23 03:53:00 2026\n"


def texts(path: Path, before: Snapshot | None = None) -> tuple[list[bytes | None], Snapshot]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        seen = scan(descriptor, before or Snapshot())
        return [read(descriptor, span) for span in seen.spans], seen
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("piece", [1 << 20, 1500])
@pytest.mark.parametrize(
    ("whole", "found"),
    [
        (b"", []),
        (LINE + b"S: x\n\nbody\n\n", [b"S: x\n\nbody\n"]),
        (LINE + b"S: x\n\nbody", [b"S: x\n\nbody"]),
        (LINE + b"\n" + LINE + b"S: 2\n\n\n\n", [b"", b"S: 2\n\n\n"]),
        (b"\n\n" + LINE + b"a: b\n\n", [b"a: b\n"]),
        (b"no mail\n\n" + LINE + b"a: b\n\n", [b"a: b\n"]),
        (
            LINE + b"a: b\n\nFrom here on\n\nFrom there Monday\n\n>From x\n\n" + LINE + b"c: d\n\n",
            [b"a: b\n\nFrom here on\n\nFrom there Monday\n\n>From x\n", b"c: d\n"],
        ),
        (
            LINE + b"a: b\n\ntext\n" + LINE + b"no empty line\n\n",
            [b"a: b\n\ntext\n" + LINE + b"no empty line\n"],
        ),
        (
            LINE + b"a: b\n\n" + b"x" * 5000 + b"\n\n" + LINE + b"c: d\n\n",
            [b"a: b\n\n" + b"x" * 5000 + b"\n", b"c: d\n"],
        ),
        (
            LINE + b"a: b\r\n\r\nx\r\n\n" + LINE + b"c: d\n\n",
            [b"a: b\r\n\r\nx\r\n", b"c: d\n"],
        ),
    ],
)
def test_messages(
    tmp_path: Path, whole: bytes, found: list[bytes], piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "PIECE", piece)
    path = tmp_path / "box"
    path.write_bytes(whole)
    assert texts(path)[0] == found


def test_from_lines_are_found_wherever_pieces_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "PIECE", 1100)
    path = tmp_path / "box"
    for size in range(960, 1110):
        path.write_bytes(LINE + b"x" * size + b"\n\n" + LINE + b"y\n\n" + LINE + b"z\n\n")
        assert texts(path)[0] == [b"x" * size + b"\n", b"y\n", b"z\n"], size


def test_what_has_only_grown_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "box"
    path.write_bytes(LINE + b"a: 1\n\n" + LINE + b"b: 2\n\n")
    _, before = texts(path)
    with path.open("ab") as file:
        file.write(LINE + b"c: 3\n\n")
    descriptor = os.open(path, os.O_RDONLY)
    after = scan(descriptor, before)
    os.close(descriptor)
    assert [span.size for span in after.spans] == [6, 6, 6]
    assert after.spans[0] is before.spans[0]
    assert texts(path, after)[1] is after
    path.write_bytes(LINE + b"c: 3\n\n" + LINE + b"a: 1\n\n" + LINE + b"and: more\n\n" * 3)
    assert len(texts(path, after)[0]) == 3


def test_what_programs_write_for_themselves_is_not_shown() -> None:
    text = b"Status: RO\nA: b\nContent-Length: 3\nX-Keywords: a\n b\nX-UID: 4\n\nStatus: not\n"
    assert without_volatile(text) == b"A: b\n\nStatus: not\n"
    assert without_volatile(b"\nStatus: body\n") == b"\nStatus: body\n"
    assert without_volatile(b"Status: RO\r\nA: b\r\n\r\nLines: 1\r\n") == b"A: b\r\n\r\nLines: 1\r\n"


def test_flags_that_others_have_set() -> None:
    assert flags_of(b"Status: RO\nX-Status: AF\n\nX-Status: D\n") == {"\\Seen", "\\Answered", "\\Flagged"}
    assert flags_of(b"X-Status: DT\n\n") == {"\\Deleted", "\\Draft"}
    assert flags_of(b"Status: O\n\n") == frozenset()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"From a@b Sun Jan  7 08:53:11 2001 +0000\n", 978857591.0),
        (b"From a@b Sun Jan 07 09:53:11 +0100 2001\n", 978857591.0),
        (b"From a Sun Jan  7 08:53 EST 2001 remote from x\n", -1.0),
        (b"From somebody on Monday\n", 0.0),
    ],
)
def test_dates_of_from_lines(line: bytes, expected: float) -> None:
    found = date_of(line)
    assert found == expected if expected >= 0 else found > 0


def test_our_own_from_line_is_one() -> None:
    assert date_of(from_line(1_700_000_000.0)) == 1_700_000_000.0
