"""The words of a script: identifiers, tags, numbers, strings, comments (RFC 5228 §2, §8.1).

Where nothing of the wanted kind stands, the answer is None and nothing is read but blanks in front. Line ends inside strings are CRLF, as
Sieve has them, whatever the file has.
"""

from __future__ import annotations

import re

from pillarbox.language.sieve.errors import SieveError

MAX_NUMBER = 2**63 - 1
_BLANKS = re.compile(r"(?:[ \t\r\n]+|#[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"([0-9]+)([KMG]?)", re.IGNORECASE)
_SCALES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_QUOTED = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MULTI_LINE = re.compile(r"text:[ \t]*(?:#[^\n]*)?(\r?\n)?")
_LAST_LINE = re.compile(r"^\.\r?(?:\n|\Z)", re.MULTILINE)
_STUFFED = re.compile(r"^\.\.", re.MULTILINE)
_LINE_END = re.compile(r"\r?\n")


class Scanner:
    """`at`: how far `text` has been read."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def is_at_end(self) -> bool:
        return self.at >= len(self.text)

    def error(self, text: str) -> SieveError:
        return SieveError(text, self.at)

    def skip(self) -> None:
        """White space and comments. Raises SieveError."""
        found = _BLANKS.match(self.text, self.at)
        self.at = found.end() if found else self.at
        if self.text.startswith("/*", self.at):
            self.at = len(self.text)
            raise self.error("missing end of comment")

    def peeked_identifier(self) -> str:
        """The one that comes next, in lower case; empty: there is none."""
        self.skip()
        found = _IDENTIFIER.match(self.text, self.at)
        return found.group().lower() if found else ""

    def takes_identifier(self, *wanted: str) -> str:
        """The next identifier if it is one of these; else empty."""
        word = self.peeked_identifier()
        if word and word in wanted:
            self.at += len(word)
            return word
        return ""

    def takes_tag(self, *wanted: str) -> str:
        """`:is` → "is", if that is wanted; else empty."""
        self.skip()
        if not self.text.startswith(":", self.at):
            return ""
        found = _IDENTIFIER.match(self.text, self.at + 1)
        if found is None or found.group().lower() not in wanted:
            return ""
        self.at = found.end()
        return found.group().lower()

    def takes(self, sign: str) -> bool:
        self.skip()
        if self.text.startswith(sign, self.at):
            self.at += len(sign)
            return True
        return False

    def number(self) -> int | None:
        """`10K` and its like. Raises SieveError."""
        self.skip()
        found = _NUMBER.match(self.text, self.at)
        if found is None:
            return None
        if len(found[1]) > 20 or (value := int(found[1]) * _SCALES[found[2].upper()]) > MAX_NUMBER:
            raise self.error("Numerical result out of range")
        self.at = found.end()
        return value

    def string(self) -> str | None:
        """In quotes, or `text:` up to a line with a dot. Raises SieveError."""
        self.skip()
        if self.text.startswith('"', self.at):
            return self._quoted()
        if self.text.startswith("text:", self.at):
            return self._lines()
        return None

    def _quoted(self) -> str:
        found = _QUOTED.match(self.text, self.at)
        if found is None:
            self.at = len(self.text)
            raise self.error("missing end of string")
        self.at = found.end()
        text = found[1]
        if "\\" in text:
            text = _ESCAPED.sub(r"\1", text)
        return _LINE_END.sub("\r\n", text) if "\n" in text else text

    def _lines(self) -> str:
        found = _MULTI_LINE.match(self.text, self.at)
        if found is None or found[1] is None:
            self.at = found.end() if found else self.at
            raise self.error("syntax error")
        last = _LAST_LINE.search(self.text, found.end())
        if last is None:
            self.at = len(self.text)
            raise self.error("missing end of multi line string")
        self.at = last.end()
        return _LINE_END.sub("\r\n", _STUFFED.sub(".", self.text[found.end() : last.start()]))
