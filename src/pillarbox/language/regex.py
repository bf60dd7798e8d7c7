r"""The one place that knows the regular expression engine: PCRE2, as Exim has it (Exim chapter 8).

Expressions and subjects are bytes to the engine, as to Exim: `.` is one byte of UTF-8 unless the expression begins with `(*UTF)`.
Results are text again. An evil expression stops at the match limit and is an error; the real one says "no match" then. Each search is
one call into the library below `pcre2.Pattern`, whose convenience costs ten times as much and whose `\u` is Python's, not Perl's.

Bounded: match steps (`MATCH_LIMIT`), 128 MiB of memory, length of the subject, how many compiled expressions are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from pillarbox.language.printing import printable, quoted
from pillarbox.mail.taint import Tainted

MAX_SUBJECT = 16 * 1024 * 1024
"""Bytes."""
MATCH_LIMIT = 2_000_000
"""The engine's steps for one search: some ten milliseconds."""
_LIMITS = b"(*LIMIT_MATCH=%d)(*LIMIT_HEAP=%d)" % (MATCH_LIMIT, 128 * 1024)
_CASELESS = 0x00000008
_PYTHONIC = 0x00100000 | 0x00000002
"""PCRE2_NEVER_BACKSLASH_C and PCRE2_ALT_BSUX, which the package sets and Exim does not."""
_NOT_EMPTY_HERE = 0x80000000 | 0x00000004
"""PCRE2_ANCHORED and PCRE2_NOTEMPTY."""
_JIT_STACK_LIMIT = -46
_NO_UTF = frozenset({*range(-23, -2), -36})
"""PCRE2_ERROR_UTF8_ERR1 to 21 and PCRE2_ERROR_BADUTFOFFSET: a `(*UTF)` expression and a subject that is none; Exim says no match."""
_KEPT = 512

Span = tuple[int, int]


class RegexError(Exception):
    """The expression is bad, or gave up; `str()` says why, in Exim's words where Exim has some."""


class Regex:
    """A compiled expression. `groups` is how many it captures."""

    __slots__ = ("_code", "_options", "_plain", "_text", "groups")

    def __init__(self, text: str, *, ignore_case: bool) -> None:
        engine, _ = _library()
        self._text = text
        self._options = _CASELESS if ignore_case else 0
        self._plain: Any = None
        self._code = self._compiled()
        engine.jit_compile(self._code)
        self.groups: int = engine.pattern_capture_count(self._code)

    def search(self, subject: str) -> list[str] | None:
        """`[whole match, group 1, …]`, unset groups empty, as tainted as the subject; None: no match. Raises RegexError at a limit."""
        data = subject.encode("utf-8", "surrogateescape")
        found = self._find(data, 0, 0)
        if found is None:
            return None
        text_of = _library()[0].match_substring_bynumber
        texts = [
            (text_of(found, data, number) or b"").decode("utf-8", "surrogateescape")
            for number in range(self.groups + 1)
        ]
        return [Tainted(text) for text in texts] if isinstance(subject, Tainted) else texts

    def matches(self, subject: str) -> bool:
        """Whether it is found in the subject. Raises RegexError at a limit."""
        return self._find(subject.encode("utf-8", "surrogateescape"), 0, 0) is not None

    def spans(self, data: bytes, start: int = 0, *, not_empty_here: bool = False) -> list[Span] | None:
        """Where the match from `start` on and its groups are, (-1, -1) for unset ones.

        `not_empty_here`: a match must begin at `start` and not be empty, as the second try behind an empty match. Raises RegexError.
        """
        found = self._find(data, start, _NOT_EMPTY_HERE if not_empty_here else 0)
        if found is None:
            return None
        span_of = _library()[0].match_substring_span_bynumber
        return [span_of(found, data, number) for number in range(self.groups + 1)]

    def all_spans(self, data: bytes) -> Iterator[list[Span]]:
        """Each match as Perl's `/g` finds it: behind an empty match a longer one is tried at the same place first."""
        start, was_empty = 0, False
        while start <= len(data):
            found = self.spans(data, start, not_empty_here=was_empty)
            if found is None:
                if not was_empty:
                    return
                start, was_empty = start + 1, False
                continue
            yield found
            begin, end = found[0]
            was_empty = begin == end
            start = end

    def _compiled(self) -> Any:
        engine, _ = _library()
        source = self._text.encode("utf-8", "surrogateescape")
        try:
            return engine.compile(_LIMITS + source, self._options, _PYTHONIC)
        except engine.PatternError as error:
            reason = error.msg.partition("; ")[2]
            offset = max(error.pos - len(_LIMITS), 0)
            raise RegexError(
                f'regular expression error in "{quoted(self._text)}": {reason} at offset {offset}'
            ) from None

    def _find(self, data: bytes, start: int, options: int) -> Any:
        engine, context = _library()
        if len(data) > MAX_SUBJECT:
            raise RegexError(f"the subject of a regular expression is longer than {MAX_SUBJECT} bytes")
        code = self._plain or self._code
        try:
            return engine.match(code, data, len(data), start, context, options)[0]
        except engine.LibraryError as error:
            if error.code == _JIT_STACK_LIMIT and self._plain is None:
                self._plain = self._compiled()  # the interpreter keeps its backtracking on the heap
                return self._find(data, start, options)
            if error.code in _NO_UTF:
                return None
            raise RegexError(f'regular expression "{printable(self._text)[:80]}": {error.msg}') from None


@lru_cache(maxsize=_KEPT)
def compile_regex(pattern: str, *, ignore_case: bool = False) -> Regex:
    """Raises RegexError."""
    return Regex(str(pattern), ignore_case=ignore_case)


def search(pattern: Regex, subject: str) -> list[str] | None:
    """`pattern.search(subject)`."""
    return pattern.search(subject)


@cache
def _library() -> tuple[Any, Any]:
    """The engine and an empty match context; imported when the first expression is compiled."""
    from pcre2 import _cy  # type: ignore[import-untyped]

    return _cy, _cy.create_match_context()
