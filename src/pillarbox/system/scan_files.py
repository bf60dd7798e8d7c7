"""`ScanFiles` below the spool directory."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path


class SpoolScanFiles:
    def __init__(self, spool_directory: str) -> None:
        self._folder = Path(spool_directory) / "scan"

    async def keep(self, message_id: str, name: str, data: bytes) -> str:
        return await asyncio.to_thread(self._write, message_id, name, data)

    def _write(self, message_id: str, name: str, data: bytes) -> str:
        folder = self._folder / message_id
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        path = folder / name
        path.write_bytes(data)
        path.chmod(0o640)
        return str(path)

    async def forget(self, message_id: str) -> None:
        await asyncio.to_thread(shutil.rmtree, self._folder / message_id, True)
