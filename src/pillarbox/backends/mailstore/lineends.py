"""Line ends between a store's files (LF) and its clients (CRLF).

The rule that keeps every byte: what is read has each CRLF and each bare LF made CRLF, which changes nothing in text whose lines all
end in CRLF. So a message in which a bare CR stands before a line end (`\\r\\r\\n`) is kept as it came, and files that other programs
wrote with CRLF are served right.
"""

from __future__ import annotations


def to_stored(data: bytes) -> bytes:
    """CRLF text → the bytes to keep."""
    if b"\r" not in data:
        return data
    lean = data.replace(b"\r\n", b"\n")
    return data if b"\r\n" in lean else lean


def to_crlf(stored: bytes) -> bytes:
    """The bytes kept → CRLF text."""
    if b"\r\n" in stored:
        stored = stored.replace(b"\r\n", b"\n")
    return stored.replace(b"\n", b"\r\n")


def crlf_size(stored: bytes) -> int:
    """`len(to_crlf(stored))` without making it."""
    return len(stored) + stored.count(b"\n") - stored.count(b"\r\n")
