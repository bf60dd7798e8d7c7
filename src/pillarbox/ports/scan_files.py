"""Messages as files for scanners that are told a path (Exim chapter 45): below `scan/ID/` of the spool, gone when the scan is over."""

from __future__ import annotations

from typing import Protocol


class ScanFiles(Protocol):
    async def keep(self, message_id: str, name: str, data: bytes) -> str:
        """Write a file; its path. Raises OSError."""
        ...

    async def forget(self, message_id: str) -> None:
        """Remove all of this message. Never raises."""
        ...
