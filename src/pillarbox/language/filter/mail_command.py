"""`mail` and `vacation`: their texts expanded and checked (filter.txt 3.14)."""

from __future__ import annotations

import re
from functools import cache

import msgspec

from pillarbox.language.addresses import AddressError, address_items, working_address
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import plain
from pillarbox.language.expand.template import Template
from pillarbox.language.filter.actions import Mail, MailIgnored
from pillarbox.language.filter.circumstances import Circumstances
from pillarbox.language.filter.commands import MailCommand
from pillarbox.language.filter.errors import FilterFailed
from pillarbox.language.filter.texts import quoted
from pillarbox.language.printing import printable
from pillarbox.mail.interval import seconds_in

_ORDER = (
    "to", "cc", "bcc", "from", "reply_to", "subject", "extra_headers", "text", "file", "log", "once", "once_repeat"
)  # fmt: skip
_PLAIN_LINES = frozenset({"file", "log", "once", "once_repeat"})
BAD_REPLY = "**bad-reply**"
_UNPRINTABLE = re.compile(r"[^ -~\t]")
_BARE_NEWLINE = re.compile(r"\n(?![ \t])")
_BARE_NEWLINE_OR_FIELD = re.compile(r"\n(?![ \t]|[!-9;-~]+:)")
_INTERVAL = re.compile(r"(?:\d{1,9}[wdhms])*(?:\d{1,9})?")


def addressed(mail: Mail, scope: Scope) -> tuple[Mail, str]:
    """The answer with a `to`, else `$reply_address`; and what its delivery is called: the addresses there, those that are none left out
    (`**bad-reply**` when none is left, as Exim says)."""
    text = mail.to if mail.to is not None else _reply_address().expand_now(scope)
    good: list[str] = []
    for item in address_items(text, opens_groups=False):
        try:
            good.append(plain(working_address(item.text).address))
        except AddressError:
            continue
    return msgspec.structs.replace(mail, to=plain(text)), ",".join(filter(None, good)) or BAD_REPLY


@cache
def _reply_address() -> Template:
    return Template.parse("$reply_address")


def prepare_mail(command: MailCommand, scope: Scope, circumstances: Circumstances) -> Mail | MailIgnored:
    """Raises FilterFailed, BlockingIOError."""
    name = "vacation" if command.is_vacation else "mail"
    expanded = {
        keyword: command.arguments[keyword].expand(scope, f"{name} command")
        for keyword in _ORDER
        if keyword in command.arguments
    }
    if not circumstances.return_path:
        return MailIgnored(command.is_vacation)
    texts = {keyword: _checked(keyword, value, name) for keyword, value in expanded.items()}
    return Mail(
        is_vacation=command.is_vacation,
        to=texts.get("to"),
        cc=texts.get("cc"),
        bcc=texts.get("bcc"),
        sender=texts.get("from"),
        reply_to=texts.get("reply_to"),
        subject=texts.get("subject"),
        extra_headers=texts.get("extra_headers"),
        text=texts.get("text"),
        file=texts.get("file"),
        expands_file=command.expands_file,
        log=texts.get("log"),
        once=texts.get("once"),
        once_repeat=texts.get("once_repeat"),
        once_repeat_seconds=0 if circumstances.is_test else parse_interval(texts.get("once_repeat")),
        returns_message=command.returns_message,
        is_seen=command.is_seen,
        ignores_errors=command.ignores_errors,
    )


def _checked(keyword: str, value: str, name: str) -> str:
    """Nothing may add a header line or hide in a file's name."""
    if keyword in _PLAIN_LINES:
        if _UNPRINTABLE.search(value):
            raise FilterFailed(f"non-printing character in {quoted(value)} in {name} command")
    elif keyword == "extra_headers":
        if _BARE_NEWLINE_OR_FIELD.search(value):
            raise FilterFailed(
                f"\\n not followed by space or valid header name in {_raw(value)} in {name} command"
            )
    elif keyword != "text" and _BARE_NEWLINE.search(value):
        raise FilterFailed(f"\\n not followed by space in {_raw(value)} in {name} command")
    return plain(value)


def _raw(value: str) -> str:
    return f'"{printable(value)[:1024]}"'


def parse_interval(text: str | None) -> int:
    """`5d4h` → seconds; None → 0. Raises FilterFailed."""
    if text is None:
        return 0
    if not text or _INTERVAL.fullmatch(text) is None:
        raise FilterFailed(f'Bad time value for "once_repeat" in mail or vacation command: {text}')
    return seconds_in(text)
