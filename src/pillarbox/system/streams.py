"""Writing to a stream whose other end may have gone."""

from __future__ import annotations

import asyncio


def send(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Without waiting. Raises ConnectionResetError when the connection is closed."""
    # Behind the end uvloop's transports raise RuntimeError, asyncio's own nothing.
    if writer.is_closing():
        raise ConnectionResetError("the connection is closed")
    writer.write(data)
