"""A secret of this installation, shared by its workers: what is derived from it is the same in each, and nobody outside can derive it."""

from __future__ import annotations

import os
from pathlib import Path

SIZE = 32


def shared_secret(path: Path) -> bytes:
    """Read it; the first who asks makes it. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return _make(path)
    with open(descriptor, "rb") as file:
        secret = file.read(SIZE)
    return secret if len(secret) == SIZE else _make(path)


def _make(path: Path) -> bytes:
    """Written aside and linked, so that nobody reads half of it and the first one wins."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    with open(descriptor, "wb") as file:
        file.write(os.urandom(SIZE))
    if path.exists() and path.stat().st_size != SIZE:
        path.unlink()
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return path.read_bytes()
