"""Long work on a message, cut up so that the connections of others go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

_STEP = 1 << 18
"""Octets that are worked on before it is somebody else's turn."""


async def in_turns(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """The chunks as they are, with turns for others in between."""
    taken = 0
    for chunk in chunks:
        yield chunk
        taken += len(chunk)
        if taken >= _STEP:
            taken = 0
            await asyncio.sleep(0)
