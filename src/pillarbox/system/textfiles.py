"""Reading small text files off the loop (`ports.textfiles`): the file may lie on a file system that does not answer."""

from __future__ import annotations

import asyncio
import os
import stat

from pillarbox.ports.textfiles import TextFileTrouble


class LocalTextFiles:
    """Reads as ourselves. Only plain files: a FIFO would wait for ever, a device is nobody's list."""

    async def read(self, path: str, *, user: str = "", limit: int = 1 << 20) -> str | None:
        return await asyncio.to_thread(_read, path, limit)


def _read(path: str, limit: int) -> str | None:
    if not path.startswith("/") or "\0" in path:
        raise TextFileTrouble(f"{path!r} is not an absolute path")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError):
        if os.path.isdir(os.path.dirname(path)):
            return None
        raise TextFileTrouble(f"failed to open {path}: its directory does not exist") from None
    except OSError as error:
        raise TextFileTrouble(f"failed to open {path}: {error.strerror}") from None
    try:
        return _read_plain(descriptor, path, limit)
    except OSError as error:
        raise TextFileTrouble(f"failed to read {path}: {error.strerror}") from None
    finally:
        os.close(descriptor)


def _read_plain(descriptor: int, path: str, limit: int) -> str:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise TextFileTrouble(f"{path} is not a regular file")
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise TextFileTrouble(f"{path} is larger than {limit} bytes")
    return data.decode("utf-8", "surrogateescape")
