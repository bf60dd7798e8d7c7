"""`log_selector = +arguments`: the log says how a program was called (Exim 53.15)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pillarbox.config.model import Config
from pillarbox.flow.settings import Logging
from pillarbox.wire.exim.log_line import printable


def line_of_arguments(config: Config, words: Sequence[str]) -> str:
    """Empty where the log is not to have it. `words`: `sys.argv`."""
    if not config.main(Logging).style.shows("arguments"):
        return ""
    try:
        directory = str(Path.cwd())
    except OSError:
        directory = "(unknown)"
    return f"cwd={directory} {len(words)} args: {' '.join(map(_shown, words))}"


def _shown(word: str) -> str:
    text = printable(word)
    return f'"{text}"' if not text or any(character.isspace() for character in text) else text
