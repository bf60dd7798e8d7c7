"""Strings of scripts on their way into messages, addresses and file names."""

from __future__ import annotations

import re

_LINE_END = re.compile(r"\r\n|\r|\n")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


def one_line(text: str) -> str:
    """For a header."""
    return _LINE_END.sub(" ", text)


def with_lf(text: str) -> str:
    return text.replace("\r\n", "\n")


def has_controls(text: str) -> bool:
    return _CONTROLS.search(text) is not None
