"""The trace field that every message gets in front (RFC 5321 §4.4)."""

from __future__ import annotations

from pillarbox.mail.date import format_date


def add_received(text: str, now: float) -> bytes:
    """`text`: the expanded `received_header_text`, its lines divided by newlines; the time stamp is put behind."""
    return f"{text};\n\t{format_date(now)}\n".encode("utf-8", "replace")
