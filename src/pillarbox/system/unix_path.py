"""Names of UNIX sockets that lie deep in the file system: an address holds 107 octets (unix(7)), a path some 4,000."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

LONGEST = 107


@contextlib.contextmanager
def short_name(path: Path) -> Iterator[str]:
    """To bind or connect to within the context: the path itself, or where it is too long one by way of its open directory. Raises OSError."""
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
