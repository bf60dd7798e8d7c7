"""What an answer is to say: by the transport's options, or by a filter's `mail` or `vacation`, never by both (Exim 27)."""

from __future__ import annotations

import re
from errno import EACCES
from typing import Protocol

import msgspec

from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import parse_duration
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import is_tainted, plain
from pillarbox.language.expand.template import Template
from pillarbox.language.filter.actions import Mail
from pillarbox.language.printing import printable

_NOT_IN_HEADERS = re.compile(rb"[^ -~\t\n]|\n(?![ \t])")
_NOT_IN_NAMES = re.compile(rb"[^ -~\t]")


class BadAnswer(Exception):
    """The answer cannot be made. `str()` is Exim's text; `number` an errno, for the retry hint."""

    def __init__(self, text: str, number: int = 0, *, is_permanent: bool = True) -> None:
        super().__init__(text)
        self.number = number
        self.is_permanent = is_permanent


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """All texts expanded."""

    to: str = ""
    cc: str = ""
    bcc: str = ""
    sender: str = ""
    reply_to: str = ""
    subject: str = ""
    headers: str = ""
    text: str = ""
    file: str = ""
    expands_file: bool = False
    log: str = ""
    once: str = ""
    once_repeat: float = 0.0
    """Seconds; 0: never again."""
    returns_message: bool = False
    makes_once_directory: bool = False


class AnswerOptions(Protocol):
    """The transport's options."""

    @property
    def name(self) -> str: ...
    @property
    def to(self) -> Template | None: ...
    @property
    def cc(self) -> Template | None: ...
    @property
    def bcc(self) -> Template | None: ...
    @property
    def from_address(self) -> Template | None: ...
    @property
    def reply_to(self) -> Template | None: ...
    @property
    def subject(self) -> Template | None: ...
    @property
    def headers(self) -> Template | None: ...
    @property
    def text(self) -> Template | None: ...
    @property
    def file(self) -> Template | None: ...
    @property
    def file_expand(self) -> bool: ...
    @property
    def log(self) -> Template | None: ...
    @property
    def once(self) -> Template | None: ...
    @property
    def once_repeat(self) -> Template | None: ...
    @property
    def return_message(self) -> bool: ...


def answer_of_filter(mail: Mail, to: str, *, returns_message: bool) -> Answer:
    """`to`: where the filter said nothing, who the message came from."""
    return Answer(
        to=mail.to or to,
        cc=mail.cc or "",
        bcc=mail.bcc or "",
        sender=mail.sender or "",
        reply_to=mail.reply_to or "",
        subject=mail.subject or "",
        headers=mail.extra_headers or "",
        text=mail.text or "",
        file=mail.file or "",
        expands_file=mail.expands_file,
        log=mail.log or "",
        once=mail.once or "",
        once_repeat=float(mail.once_repeat_seconds),
        returns_message=mail.returns_message or returns_message,
        makes_once_directory=mail.makes_once_directory,
    )


async def answer_of_options(options: AnswerOptions, scope: Scope) -> Answer:
    """Raises BadAnswer, ExpansionDeferred."""
    reading = _Reading(options.name, scope)
    return Answer(
        sender=await reading.header(options.from_address),
        reply_to=await reading.header(options.reply_to),
        to=await reading.header(options.to),
        cc=await reading.header(options.cc),
        bcc=await reading.header(options.bcc),
        subject=await reading.header(options.subject),
        headers=await reading.text(options.headers),
        text=await reading.text(options.text),
        file=await reading.path(options.file, "file"),
        expands_file=options.file_expand,
        log=await reading.path(options.log, "log file"),
        once=await reading.path(options.once, "once file"),
        once_repeat=_seconds(await reading.time(options.once_repeat), options.name),
        returns_message=options.return_message,
    )


class _Reading:
    """Expands, and looks for what must not be there."""

    def __init__(self, name: str, scope: Scope) -> None:
        self._name = name
        self._scope = scope

    async def text(self, template: Template | None) -> str:
        return plain(await self._expanded(template))

    async def header(self, template: Template | None) -> str:
        """A line break must be followed by white space: nothing may become a header of its own."""
        text = plain(await self._expanded(template))
        return self._checked(text, template, _NOT_IN_HEADERS)

    async def time(self, template: Template | None) -> str:
        return self._checked(plain(await self._expanded(template)), template, _NOT_IN_NAMES)

    async def path(self, template: Template | None, what: str) -> str:
        text = await self._expanded(template)
        if is_tainted(text) and text:
            reason = f"Tainted '{text}' ({what} for {self._name} transport) not permitted"
            raise BadAnswer(reason, EACCES, is_permanent=False)
        return self._checked(plain(text), template, _NOT_IN_NAMES)

    async def _expanded(self, template: Template | None) -> str:
        if template is None:
            return ""
        try:
            return await template.expand(self._scope)
        except ExpansionFailed as error:
            reason = f'Expansion of "{template.source}" failed in {self._name} transport: {error}'
            raise BadAnswer(reason) from None

    def _checked(self, text: str, template: Template | None, forbidden: re.Pattern[bytes]) -> str:
        found = forbidden.search(text.encode("utf-8", "surrogateescape"))
        if found is None:
            return text
        source = printable(template.source) if template is not None else ""
        number = found.group()[0]
        reason = f'Expansion of "{source}" in {self._name} transport contains non-printing character {number}'
        raise BadAnswer(reason)


def _seconds(text: str, name: str) -> float:
    if not text:
        return 0.0
    try:
        return parse_duration(text)
    except OptionError:
        raise BadAnswer(f'Invalid time value "{text}" for "once_repeat" in {name} transport') from None
