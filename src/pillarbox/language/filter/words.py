r"""The words of a filter file: white space divides, `#` behind a divider begins a comment, `"…"` holds escapes (filter.txt 3.1, 3.2).

Exim reads keywords raw (quotes stay) and data unquoted; in conditions parentheses divide as well. The line of an error is where reading
stands then, which is behind the white space after the last word.
"""

from __future__ import annotations

import re

from pillarbox.language.filter.errors import FilterSyntaxError

MAX_WORD = 1024
"""Characters of a word or string before expansion."""
_COMMENT = re.compile(r"#[^\n]*")
_SPACE = re.compile(r"[ \t\n\r\f\v]+")
_PLAIN = re.compile(r"[^ \t\n\r\f\v]+")
_PLAIN_IN_CONDITION = re.compile(r"[^ \t\n\r\f\v()]+")
_RUN = re.compile(r'[^"\\\n]+')
_OCTAL = re.compile(r"[0-7]{1,3}")
_HEX = re.compile(r"[0-9A-Fa-f]{1,2}")
_LEADING = re.compile(r"[ \t\n\r\f\v]*")
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v"}


class Words:
    """Reads a filter file once through. `at` is on a word, a parenthesis or the end, never on white space."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.skip_gap()

    @property
    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    @property
    def is_at_end(self) -> bool:
        return self.at >= len(self.text)

    @property
    def next_character(self) -> str:
        return self.text[self.at : self.at + 1]

    def fail(self, message: str) -> FilterSyntaxError:
        """`{line}` in the message becomes the line."""
        line = self.line
        return FilterSyntaxError(message.replace("{line}", str(line)), line)

    def skip_gap(self) -> None:
        """To the next word: over white space, and comments that follow it."""
        while True:
            space = _SPACE.match(self.text, self.at)
            if space is not None:
                self.at = space.end()
            comment = _COMMENT.match(self.text, self.at)
            if comment is None:
                return
            self.at = comment.end()

    def take_character(self) -> str:
        """One parenthesis."""
        character = self.next_character
        self.at += 1
        self.skip_gap()
        return character

    def take_word(self, *, in_condition: bool = False) -> str:
        """A keyword; empty at the end, or in a condition at a parenthesis."""
        word = self.peek_word(in_condition=in_condition)
        self.at += len(word)
        self.skip_gap()
        return word

    def peek_word(self, *, in_condition: bool = False) -> str:
        found = (_PLAIN_IN_CONDITION if in_condition else _PLAIN).match(self.text, self.at)
        word = found.group() if found else ""
        if len(word) >= MAX_WORD:
            raise self.fail(f"word is too long in line {{line}} of filter file (max = {MAX_WORD} chars)")
        return word

    def take_data(self, *, in_condition: bool = False) -> str:
        """A data value, its quotes and escapes removed; empty at the end."""
        if self.next_character != '"':
            return self.take_word(in_condition=in_condition)
        text = self._quoted()
        self.skip_gap()
        return text

    def _quoted(self) -> str:
        pieces: list[str] = []
        length = 0
        self.at += 1
        while True:
            run = _RUN.match(self.text, self.at)
            if run is not None:
                pieces.append(run.group())
                self.at = run.end()
            character = self.next_character
            if character == '"':
                self.at += 1
                break
            if character != "\\" or self.at + 1 >= len(self.text):
                raise self.fail("quote missing at end of string in line {line}")
            pieces.append(self._escaped())
            length += 1
        text = "".join(pieces)
        if len(text) >= MAX_WORD:
            raise self.fail(f"string is too long in line {{line}} of filter file (max = {MAX_WORD} chars)")
        return text.partition("\0")[0]

    def _escaped(self) -> str:
        """At a backslash."""
        character = self.text[self.at + 1]
        self.at += 2
        if character == "\n":
            leading = _LEADING.match(self.text, self.at)
            self.at = leading.end() if leading else self.at
            return ""
        if character == "x":
            found = _HEX.match(self.text, self.at)
            if found is None:
                return "\0"
            self.at = found.end()
            return _byte(int(found.group(), 16))
        octal = _OCTAL.match(self.text, self.at - 1)
        if octal is not None:
            self.at = octal.end()
            return _byte(int(octal.group(), 8) & 0xFF)
        return _CONTROL.get(character, character)


def _byte(code: int) -> str:
    return bytes((code,)).decode("utf-8", "surrogateescape")
