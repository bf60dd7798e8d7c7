"""`exim` called within this process: hundreds of questions cost no start of an interpreter."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Sequence

from pillarbox.cli.exim import run


def answered(arguments: Sequence[str], message: bytes = b"") -> tuple[str, str, int]:
    """Standard output, standard error and the exit code; `message`: standard input."""
    out, errors = _Stream(), _Stream()
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(message))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            code = run([*arguments], "exim")
    finally:
        sys.stdin = before
    return out.text(), errors.text(), code


class _Stream(io.TextIOWrapper):
    def __init__(self) -> None:
        self._data = io.BytesIO()
        super().__init__(self._data, "utf-8", "surrogateescape", write_through=True)

    def text(self) -> str:
        return self._data.getvalue().decode("utf-8", "surrogateescape")
