"""What `control = debug` writes: a file beside the logs, opened for each text, since it is rare (Exim 44.13)."""

from __future__ import annotations

import os
from contextlib import suppress

MODE = 0o640


def write_debug(path: str, text: str | None) -> None:
    """Append; None: the file goes. Never raises: a log must not stop mail."""
    with suppress(OSError):
        if text is None:
            os.unlink(path)
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(path, flags, MODE), "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
