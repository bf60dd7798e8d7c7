"""Strings of scripts on their way into messages, addresses and file names."""

from __future__ import annotations

import re

from pillarbox.language.expand.encoding_words import encode_words

_LINE_END = re.compile(r"\r\n|\r|\n")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


def one_line(text: str) -> str:
    """For a header."""
    return _LINE_END.sub(" ", text)


def in_header(text: bytes) -> str:
    """Encoded words where needed, on lines of their own."""
    return "\n ".join(encode_words(text, "utf-8")) or text.decode("ascii")


def with_lf(text: str) -> str:
    return text.replace("\r\n", "\n")


def has_controls(text: str) -> bool:
    return _CONTROLS.search(text) is not None
