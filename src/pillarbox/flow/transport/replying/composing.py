"""How an answer looks: headers, text, and the message it answers when that is asked for (Exim 27, RFC 3834, RFC 5322 §3.6.4).

It comes from nobody (`<>`), so nothing can answer it, and says `Auto-Submitted: auto-replied`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from pillarbox.flow.transport.replying.answer import Answer
from pillarbox.language.addresses import AddressError, address_items, working_address
from pillarbox.language.rewrite.display_name import show_sender
from pillarbox.mail import header
from pillarbox.mail.date import format_date
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message

_ID = re.compile(r"\s*(<[^<>\s]+>)")
MAX_REFERENCES = 12
_ABOVE = {
    (False, False): "------ This is a copy of the message, including all the headers.",
    (True, False): "------ This is a copy of the body of the message, without the headers.",
    (False, True): "------ This is a copy of the message's header lines.",
}


class Author(msgspec.Struct, frozen=True):
    """Who runs the delivery."""

    login: str
    full_name: str
    hostname: str
    qualify_domain: str
    recipient_domain: str


class Addressees(NamedTuple):
    """Whom an answer is for."""

    good: tuple[str, ...]
    """Complete addresses."""
    bad: tuple[str, ...]
    """What stands in the place of others, from there on, and what is wrong with it."""


def addressees(answer: Answer, author: Author) -> Addressees:
    """All of To:, Cc: and Bcc:, as they are given."""
    good: list[str] = []
    bad: list[str] = []
    for text in (answer.to, answer.cc, answer.bcc):
        for item in address_items(text):
            if not item.text.strip():
                continue
            try:
                working = working_address(item.text)
            except AddressError as error:
                bad.append(f"{text[item.start :].strip()} - {error}")
                continue
            good.append(
                working.address if working.domain_at else f"{working.address}@{author.recipient_domain}"
            )
    return Addressees(tuple(good), tuple(bad))


def without(text: str, unwanted: Iterable[str]) -> str:
    """The addresses of a header but those."""
    refused = frozenset(unwanted)
    kept: list[str] = []
    for item in address_items(text):
        try:
            address = working_address(item.text).address
        except AddressError:
            address = ""
        if address not in refused:
            kept.append(item.text)
    return ",".join(kept)


def compose(
    answer: Answer,
    body: bytes,
    recipients: tuple[str, ...],
    message_id: str,
    original: Message,
    author: Author,
    now: float,
) -> tuple[Envelope, Message]:
    """The envelope and the message of an answer."""
    block = received_line(recipients, message_id, author.login, author.hostname, now) + _headers(
        answer, original, message_id, author, now
    )
    headers = block.encode("utf-8", "surrogateescape")
    envelope = Envelope(
        id=message_id,
        sender=None,
        recipients=tuple(Recipient(address) for address in recipients),
        origin=Origin(protocol="local", ident=author.login),
        received_at=now,
        body_type="" if body.isascii() else "8BITMIME",
    )
    return envelope, Message(headers, MemoryBody(body))


def received_line(recipients: Sequence[str], message_id: str, login: str, hostname: str, now: float) -> str:
    """Of a message that a delivery writes."""
    told = f"\n\tfor {recipients[0]}" if len(recipients) == 1 else ""
    return (
        f"Received: from {login} by {hostname} with local (Pillarbox)\n"
        f"\tid {message_id}{told};\n\t{format_date(now)}\n"
    )


def _headers(answer: Answer, original: Message, message_id: str, author: Author, now: float) -> str:
    fields = [
        ("From", answer.sender),
        ("Reply-To", answer.reply_to),
        ("To", answer.to),
        ("Cc", answer.cc),
        ("Subject", answer.subject),
        *_references(original),
        ("Auto-Submitted", "auto-replied"),
    ]
    text = "".join(f"{name}: {value}\n" for name, value in fields if value)
    extra = answer.headers
    if extra:
        text += extra if extra.endswith("\n") else f"{extra}\n"
    own = f"{author.login}@{author.qualify_domain}"
    text += f"Message-Id: <E{message_id}@{author.hostname}>\n"
    if not answer.sender:
        text += f"From: {show_sender(author.full_name, own)}\n"
    elif not is_from(own, answer.sender):
        text += f"Sender: {show_sender(author.full_name, own)}\n"
    return text + f"Date: {format_date(now)}\n"


def is_from(own: str, field: str) -> bool:
    """Whether From: holds this address and no other: then nobody else is shown in Sender: (Exim 48.14)."""
    try:
        return working_address(field).address.lower() == own.lower()
    except AddressError:
        return False


def _references(original: Message) -> Iterator[tuple[str, str]]:
    own = header.first(original.headers, "message-id")
    if not own:
        return
    value = own.decode("utf-8", "surrogateescape")
    earlier = (
        header.first(original.headers, "references") or header.first(original.headers, "in-reply-to") or b""
    )
    ids = list(_leading_ids(earlier.decode("utf-8", "surrogateescape")))
    if len(ids) >= MAX_REFERENCES:
        ids = [ids[0], *ids[-(MAX_REFERENCES - 2) :]]
    yield "In-Reply-To", value
    yield "References", " ".join([*ids, value])


def _leading_ids(text: str) -> Iterator[str]:
    position = 0
    while found := _ID.match(text, position):
        yield found.group(1)
        position = found.end()


def returned(pieces: Iterable[bytes], *, body_only: bool, headers_only: bool) -> bytes:
    """The message that is answered, with a line above it."""
    return f"\n{_ABOVE[body_only, headers_only]}\n\n".encode() + b"".join(pieces)


def bounded(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """No more than `limit` bytes; 0: all."""
    left = limit
    for piece in pieces:
        if limit and len(piece) >= left:
            yield piece[:left]
            return
        left -= len(piece)
        yield piece


def log_text(answer: Answer, stamp: str) -> str:
    """What the log file says of an answer that was sent."""
    lines = [
        ("From", answer.sender),
        ("To", answer.to),
        ("Cc", answer.cc),
        ("Bcc", answer.bcc),
        ("Subject", answer.subject),
    ]
    text = f"{stamp}\n" + "".join(f"  {name}: {value}\n" for name, value in lines if value)
    return f"{text}  {answer.headers}\n" if answer.headers else text
