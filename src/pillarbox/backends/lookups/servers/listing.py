"""Lists of servers in Exim's list syntax (Exim 6.21): colon or `<` and another separator, doubled to stand for itself."""

from __future__ import annotations

import string
from collections.abc import Iterator

WHITE = " \t\n\r\v\f"
"""White space is ASCII in Exim's texts; `str.strip` would take more."""


def split_list(text: str) -> Iterator[str]:
    """The items, white space around them removed; an empty one between two separators counts."""
    text, separator = text.lstrip(WHITE), ":"
    if len(text) > 1 and text[0] == "<" and text[1] in string.punctuation:
        separator, text = text[1], text[2:].lstrip(WHITE)
    doubled = separator * 2
    while text:
        item, start = "", 0
        while True:
            end = text.find(separator, start)
            if end < 0 or not text.startswith(doubled, end):
                break
            item += text[start : end + 1]
            start = end + 2
        last = text[start:] if end < 0 else text[start:end]
        yield (item + last).strip(WHITE)
        text = "" if end < 0 else text[end + 1 :].lstrip(WHITE)
