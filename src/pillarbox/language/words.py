"""Words of a rule line: divided by white space, in double quotes where they hold some (Exim 31.4, 32.2)."""

from __future__ import annotations

import re

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_PLAIN = re.compile(r"\S+")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CONTROL = {"n": "\n", "r": "\r", "t": "\t"}


def take_word(text: str) -> tuple[str, str]:
    """The first word, without its quotes, and what follows it. Raises ValueError when a quote is not closed."""
    text = text.lstrip()
    if text.startswith('"'):
        quoted = _QUOTED.match(text)
        if not quoted:
            raise ValueError("a quoted string is not closed")
        word = _ESCAPED.sub(lambda found: _CONTROL.get(found.group(1), found.group(1)), quoted.group(1))
        return word, text[quoted.end() :].lstrip()
    plain = _PLAIN.match(text)
    if not plain:
        return "", ""
    return plain.group(), text[plain.end() :].lstrip()


def dequote(text: str) -> tuple[str, str]:
    """The same in Exim's lenient reading of rules: a quote that is not closed goes to the end of the line."""
    text = text.lstrip()
    if text.startswith('"') and not _QUOTED.match(text):
        text += '"' if not text.endswith("\\") else '\\"'
    return take_word(text)
