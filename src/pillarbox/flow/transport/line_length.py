"""`message_linelength_limit`: messages with longer lines are not sent (Exim 30.4, RFC 5321 §4.5.3.1.6)."""

from __future__ import annotations

from pillarbox.mail.message import Message


def longest_line_beyond(message: Message, limit: int) -> int:
    """Octets of the longest line when it is longer than `limit`; else 0."""
    longest = _beyond(message.headers, limit)
    held = b""
    for chunk in message.body.chunks():
        text = held + chunk if held else chunk
        longest = max(longest, _beyond(text, limit))
        held = text[text.rfind(b"\n") + 1 :]
    return longest


def _beyond(text: bytes, limit: int) -> int:
    if len(text) <= limit:
        return 0
    longest = max(map(len, text.split(b"\n")))
    return longest if longest > limit else 0
