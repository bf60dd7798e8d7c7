"""Writing a message to the wire: LF form → CRLF, with dot stuffing for DATA (RFC 5321 §4.5.2) or plain for BDAT.

Whatever goes in, only CRLF comes out as a line end: a CR in the text, which LF form should not have, counts as one too.
"""

from __future__ import annotations


class DataWriter:
    """One message, in as many chunks as it comes in."""

    __slots__ = ("_ended_in_cr", "_is_at_line_start", "_is_dotted")

    def __init__(self, *, is_dotted: bool) -> None:
        self._is_dotted = is_dotted
        self._is_at_line_start = True
        self._ended_in_cr = False

    def encode(self, chunk: bytes) -> bytes:
        """A chunk in LF form → its octets on the wire."""
        if self._ended_in_cr or b"\r" in chunk:
            chunk = self._without_cr(chunk)
        if not chunk:
            return b""
        if self._is_dotted:
            starts_with_dot = self._is_at_line_start and chunk.startswith(b".")
            if b"\n." in chunk:
                chunk = chunk.replace(b"\n.", b"\n..")
            if starts_with_dot:
                chunk = b"." + chunk
        self._is_at_line_start = chunk.endswith(b"\n")
        return chunk.replace(b"\n", b"\r\n")

    def end(self) -> bytes:
        """What must follow the last chunk: the end of an unfinished line, and for DATA the final dot."""
        line_end = b"" if self._is_at_line_start else b"\r\n"
        return line_end + b".\r\n" if self._is_dotted else line_end

    def _without_cr(self, chunk: bytes) -> bytes:
        """CR, CRLF and LF all become LF, also where a chunk ends between CR and LF."""
        if self._ended_in_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        if chunk:
            self._ended_in_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
