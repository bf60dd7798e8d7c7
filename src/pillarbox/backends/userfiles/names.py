"""Names of Maildir files: the beginning that a repeat looks for, and the sizes behind (Maildir++'s `,S=`, Dovecot's `,W=`)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

_PLAIN = re.compile(r"[A-Za-z0-9_=+@.-]{1,120}")


class Count:
    """Sizes for the file name: `S=` bytes, `W=` bytes with CRLF."""

    __slots__ = ("has_cr", "lines", "size")

    def __init__(self) -> None:
        self.size = self.lines = 0
        self.has_cr = False

    def add(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.size += len(chunk)
            self.lines += len(chunk) - len(chunk.replace(b"\n", b""))  # count() looks at every byte
            self.has_cr = self.has_cr or chunk.find(b"\r") >= 0

    def through(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks, counted as they pass."""
        for chunk in chunks:
            self.add(chunk)
            yield chunk

    def name(self, stem: str) -> str:
        if self.has_cr:  # readers count it: what is before a newline would not grow
            return f"{stem},S={self.size}"
        return f"{stem},S={self.size},W={self.size + self.lines}"


def prefix_of(unique: str, received_at: float) -> str:
    """What a repeat looks for. `unique` beyond letters, digits and `_=+@.-` is replaced by its digest."""
    if _PLAIN.fullmatch(unique) is None:
        unique = hashlib.sha256(unique.encode("utf-8", "surrogateescape")).hexdigest()[:40]
    return f"{int(received_at)}.{unique}."
