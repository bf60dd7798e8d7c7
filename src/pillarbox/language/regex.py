"""The one place that knows the regular expression engine.

Exim's expressions are PCRE2's. For now they run on Python's `re`, with PCRE's spelling of POSIX classes, `\\h`, `\\R`, `\\Z` and named groups
rewritten. Known gap: `\\K`, recursion and verbs are refused; there is no match limit, so the subject's length is bounded instead.
"""

from __future__ import annotations

import re
from functools import lru_cache

MAX_SUBJECT = 64 * 1024

_POSIX = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "xdigit": "0-9A-Fa-f",
    "word": r"\w",
    "cntrl": r"\x00-\x1f\x7f",
    "print": " -~",
    "graph": "!-~",
}
_REWRITE = re.compile(r"\[:(\w+):\]|\(\?<(?=[A-Za-z_])|\\([hRZNK])|\\.", re.DOTALL)
_SHORTHAND = {"h": r"[ \t]", "R": r"(?:\r\n|[\n\r\f\v])", "Z": r"(?=\n?\Z)", "N": r"[^\n]"}


class RegexError(Exception):
    """The expression is bad; `str()` says why."""


@lru_cache(maxsize=512)
def compile_regex(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Raises RegexError."""
    try:
        return re.compile(_REWRITE.sub(_rewritten, pattern), re.IGNORECASE if ignore_case else 0)
    except (re.error, RecursionError, OverflowError) as error:
        raise RegexError(f"regular expression error in {pattern!r}: {error}") from None


def search(pattern: re.Pattern[str], subject: str) -> list[str] | None:
    """`[whole match, group 1, …]`, unset groups empty; None when there is no match (or the subject is beyond MAX_SUBJECT)."""
    found = pattern.search(subject, 0, MAX_SUBJECT)
    return None if found is None else [found.group(), *found.groups("")]


def _rewritten(found: re.Match[str]) -> str:
    text = found.group()
    if found.group(1):
        if found.group(1) not in _POSIX:
            raise RegexError(f"unknown POSIX class {text}")
        return _POSIX[found.group(1)]
    if text == "(?<":
        return "(?P<"
    if found.group(2):
        if found.group(2) == "K":
            raise RegexError("\\K is not supported")
        return _SHORTHAND[found.group(2)]
    return text
