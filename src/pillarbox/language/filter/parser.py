"""The text of an Exim filter → `commands` (filter.txt 3.9 to 3.21), with Exim's complaints.

Bounded: the file's size, nesting of `if`.
"""

from __future__ import annotations

import re
from typing import Literal, cast

from pillarbox.language.filter.commands import (
    AddCommand,
    Command,
    DeliverCommand,
    EndCommand,
    Filter,
    FinishCommand,
    HeadersCommand,
    IfCommand,
    LogFileCommand,
    LogWriteCommand,
    MailCommand,
    Permissions,
    PipeCommand,
    SaveCommand,
    TestPrintCommand,
)
from pillarbox.language.filter.condition_parser import ConditionParser
from pillarbox.language.filter.conditions import Condition
from pillarbox.language.filter.errors import FilterSyntaxError
from pillarbox.language.filter.texts import Text, quoted
from pillarbox.language.filter.words import Words

MAX_SIZE = 1024 * 1024
"""Characters of a filter file."""
MAX_DEPTH = 100
_OCTAL = re.compile(r"[0-7]+")
_MAIL_WORDS = frozenset(
    {"to", "cc", "bcc", "from", "reply_to", "subject", "extra_headers", "text", "file", "log", "once", "once_repeat"}
)  # fmt: skip
_VACATION = {
    "subject": "On vacation",
    "file": ".vacation.msg",
    "log": ".vacation.log",
    "once": ".vacation",
    "once_repeat": "7d",
}
_WITH_ARGUMENT = frozenset({"deliver", "save", "pipe", "add", "headers", "logfile", "logwrite", "testprint"})
_WITHOUT_PREFIX = frozenset({"add", "headers"})


def parse_filter(text: str, permissions: Permissions | None = None) -> Filter:
    """Raises FilterSyntaxError. Whether the text is a filter at all is `recognition`'s question."""
    if len(text) > MAX_SIZE:
        raise FilterSyntaxError(f"filter file is too big (max {MAX_SIZE})")
    return _Parser(text, permissions or Permissions()).whole()


class _Prefixes:
    """`seen`, `unseen`, `noerror` in front of a command. `seen` None: not said."""

    __slots__ = ("noerror", "seen")

    def __init__(self) -> None:
        self.seen: bool | None = None
        self.noerror = False

    @property
    def are_given(self) -> bool:
        return self.seen is not None or self.noerror


class _Parser:
    def __init__(self, text: str, permissions: Permissions) -> None:
        self._words = Words(text)
        self._permissions = permissions
        self._conditions = ConditionParser(self._words, permissions.forbidden_items)

    def whole(self) -> Filter:
        commands, _ = self._commands(0)
        problems = tuple(
            f"{quoted(text.source)}: {text.problem}" for text in self._conditions.texts if text.problem
        )
        return Filter(commands, self._permissions, problems)

    def _commands(self, depth: int) -> tuple[tuple[Command, ...], str]:
        """Up to the end, or inside an `if` to the `elif`, `else` or `endif` (which is returned) that ends a section."""
        if depth > MAX_DEPTH:
            raise self._words.fail('"if" is nested too deeply near line {line} of filter file')
        found: list[Command] = []
        while not self._words.is_at_end:
            prefixes = _Prefixes()
            word = self._prefixed(prefixes)
            if word in ("elif", "else", "endif"):
                if depth and not prefixes.are_given:
                    return tuple(found), word
                raise self._words.fail(f"unexpected {quoted(word)} command near line {{line}} of filter file")
            found.append(self._command(word, prefixes, depth))
        if depth:
            raise self._words.fail('"endif" missing at end of filter file')
        return tuple(found), ""

    def _keyword(self) -> str:
        """`if(` and `elif(` need no space."""
        words = self._words
        for word in ("if", "elif"):
            if words.text.startswith(f"{word}(", words.at):
                words.at += len(word)
                return word
        return words.take_word()

    def _prefixed(self, prefixes: _Prefixes) -> str:
        words = self._words
        word = self._keyword()
        while word in ("seen", "unseen", "noerror"):
            if word == "noerror":
                prefixes.noerror = True
            elif prefixes.seen is not None:
                raise words.fail('"seen" or "unseen" repeated near line {line}')
            else:
                prefixes.seen = word == "seen"
            if words.is_at_end:
                name = '"noerror"' if word == "noerror" else '"seen" or "unseen"'
                raise words.fail(f"{name} near line {{line}} is not followed by a command")
            word = self._keyword()
        return word

    def _command(self, word: str, prefixes: _Prefixes, depth: int) -> Command:
        if word == "if":
            if prefixes.are_given:
                raise self._words.fail(
                    '"seen", "unseen", or "noerror" found before an "if" command near line {line}'
                )
            return self._if(depth)
        if word in _WITH_ARGUMENT:
            return self._with_argument(word, prefixes)
        if word in ("mail", "vacation"):
            return self._mail(word == "vacation", prefixes)
        if word == "finish":
            return FinishCommand(prefixes.seen is True)
        if word in ("fail", "freeze", "defer"):
            return self._end(cast('Literal["fail", "freeze", "defer"]', word))
        raise self._words.fail(f"unknown filtering command {quoted(word)} near line {{line}} of filter file")

    def _if(self, depth: int) -> Command:
        branches: list[tuple[Condition, tuple[Command, ...]]] = []
        otherwise: tuple[Command, ...] = ()
        ending = "elif"
        while ending == "elif":
            condition = self._conditions.read()
            commands, ending = self._commands(depth + 1)
            branches.append((condition, commands))
        if ending == "else":
            otherwise, ending = self._commands(depth + 1)
        if ending != "endif":
            raise self._words.fail('"endif" missing near line {line} of filter file')
        return IfCommand(tuple(branches), otherwise)

    def _with_argument(self, word: str, prefixes: _Prefixes) -> Command:
        words = self._words
        if word in _WITHOUT_PREFIX and prefixes.are_given:
            raise words.fail(
                f'"seen", "unseen", or "noerror" found before an {quoted(word)} command near line {{line}}'
            )
        source = words.take_data()
        if not source:
            raise words.fail(f"{quoted(word)} requires an argument near line {{line}} of filter file")
        match word:
            case "deliver":
                return self._deliver(source, prefixes)
            case "save":
                path = self._text(source)
                return SaveCommand(path, self._mode(), prefixes.seen is not False, prefixes.noerror)
            case "pipe":
                return PipeCommand(source, prefixes.seen is not False, prefixes.noerror)
            case "logfile":
                path = self._text(source)
                return LogFileCommand(path, self._mode(), prefixes.seen is True)
            case "logwrite":
                line = source if source.endswith("\n") else source + "\n"
                return LogWriteCommand(self._text(line), prefixes.seen is True)
            case "add":
                return self._add(source)
            case "headers":
                return self._headers(source)
        return TestPrintCommand(self._text(source))

    def _deliver(self, source: str, prefixes: _Prefixes) -> Command:
        address = self._text(source)
        errors_to: Text | None = None
        if self._words.peek_word() == "errors_to":
            self._words.take_word()
            errors_to = self._text(self._words.take_word())
        return DeliverCommand(address, errors_to, prefixes.seen is not False, prefixes.noerror)

    def _mode(self) -> int | None:
        """Octal digits as far as they go; none when the next word begins with no digit."""
        if not self._words.next_character.isdigit():
            return None
        digits = _OCTAL.match(self._words.take_word())
        return int(digits.group(), 8) & 0xFFFFFFFF if digits else 0

    def _add(self, number: str) -> Command:
        words = self._words
        if words.take_word() != "to":
            raise words.fail('"to" expected in "add" command near line {line} of filter file')
        variable = words.take_data()
        if not variable:
            raise words.fail('value missing after "to" near line {line} of filter file')
        return AddCommand(self._text(number), self._text(variable))

    def _headers(self, change: str) -> Command:
        words = self._words
        if change != "charset" and not self._permissions.is_system:
            raise words.fail(
                "header addition and removal is available only in system filters: near line {line} of filter file"
            )
        if change not in ("add", "remove", "charset"):
            raise words.fail(
                '"add", "remove", or "charset" expected after "headers" near line {line} of filter file'
            )
        text = words.take_data()
        if not text:
            raise words.fail(
                'value missing after "add", "remove", or "charset" near line {line} of filter file'
            )
        return HeadersCommand(cast('Literal["add", "remove", "charset"]', change), self._text(text))

    def _end(self, verb: Literal["fail", "freeze", "defer"]) -> Command:
        words, may = self._words, self._permissions
        if not {"fail": may.allows_fail, "freeze": may.allows_freeze, "defer": may.allows_defer}[verb]:
            raise words.fail(f'filtering command "{verb}" is disabled: near line {{line}} of filter file')
        text = ""
        if words.peek_word() == "text":
            words.take_word()
            text = words.take_data()
        elif words.next_character == '"':
            text = words.take_data()
        return EndCommand(verb, self._text(text))

    def _mail(self, is_vacation: bool, prefixes: _Prefixes) -> Command:
        words = self._words
        given: dict[str, Text] = {}
        expands_file = returns_message = False
        while True:
            word = words.peek_word()
            if word in ("expand", "return"):
                words.take_word()
                follower = "file" if word == "expand" else "message"
                if words.take_word() != follower:
                    raise words.fail(
                        f'"{word}" not followed by "{follower}"  near line {{line}} of filter file'
                    )
                if word == "return":
                    returns_message = True
                    continue
                expands_file = True
                given["file"] = self._text(words.take_data())
            elif word in _MAIL_WORDS:
                words.take_word()
                given[word] = self._text(words.take_data())
            else:
                break
        if is_vacation:
            expands_file = expands_file or "file" not in given
            for name, text in _VACATION.items():
                given.setdefault(name, self._text(text))
        return MailCommand(
            is_vacation, given, expands_file, returns_message, prefixes.seen is True, prefixes.noerror
        )

    def _text(self, source: str) -> Text:
        text = Text(source, self._permissions.forbidden_items)
        self._conditions.texts.append(text)
        return text
