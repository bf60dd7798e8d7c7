"""The event loop: uvloop, or asyncio's own where PILLARBOX_LOOP=asyncio asks for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import Any


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run `main` to its end on a fresh loop."""
    if os.environ.get("PILLARBOX_LOOP") == "asyncio":
        return asyncio.run(main)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
