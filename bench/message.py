"""The test message: a plain 4 KiB mail whose body carries a marker, so that delivered copies can be told apart."""

from pathlib import Path

MARKER = b"bench-marker: "
DOMAIN = "bench.example"
"""Where the hundred users live."""
RELAY_DOMAIN = "relay.example"
"""What goes on to the sink."""
USERS = 100


class MessageText:
    """Message texts of one size, in SMTP form (CRLF, ending with the dot line), made by joining three pieces."""

    __slots__ = ("_after", "_before", "run")

    def __init__(self, run: str, size: int) -> None:
        """run: a word unique to this measurement; size: bytes of the whole message on the wire, about."""
        self.run = run.encode()
        self._before = (
            b"From: Load Generator <user1@bench.example>\r\nTo: somebody@bench.example\r\n"
            b"Subject: a message of the benchmark\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\n"
            b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nMessage-ID: <"
        )
        line = b"The quick brown fox jumps over the lazy dog, and then it does so again.\r\n"
        room = max(0, size - len(self._before) - 3 * len(self.marker(0)))
        self._after = b"\r\n" + line * (room // len(line)) + b".\r\n"

    def marker(self, number: int) -> bytes:
        return b"%s-%09d" % (self.run, number)

    def numbered(self, number: int) -> bytes:
        marker = self.marker(number)
        return b"".join((self._before, marker, b"@bench.example>\r\n\r\n", MARKER, marker, self._after))


def marker_in(text: bytes) -> bytes | None:
    """The marker of a delivered copy, or None where it has none (messages of smtp-source)."""
    at = text.find(MARKER)
    if at < 0:
        return None
    return text[at + len(MARKER) : at + len(MARKER) + 80].split(b"\n", 1)[0].rstrip()


def read_marker(path: Path) -> bytes | None:
    return marker_in(path.read_bytes())
