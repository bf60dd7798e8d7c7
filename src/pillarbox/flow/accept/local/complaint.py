"""The mail that tells a local sender why their message was not taken (Exim 5.3, -oem; chapter 53).

It bears Exim's words; scripts and people know them.
"""

from __future__ import annotations

import msgspec

from pillarbox.flow.accept.local.refused import Refused
from pillarbox.flow.own_message import reference_to
from pillarbox.mail.date import format_date
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message

COPY = "\n------ This is a copy of your message, including all the headers. ------\n\n"
_COPY_OF_PART = (
    "\n------ This is a copy of your message, including all the headers.\n"
    "------ No more than {limit} characters of the body are included.\n\n"
)

_NO_OTHERS = "There were no other addresses in your\nmessage, and so no attempt at delivery was possible.\n"
_OTHERS = (
    "The other addresses in the message were\n"
    "syntactically valid and have been passed on for an attempt at delivery.\n"
)


class Letterhead(msgspec.Struct, frozen=True):
    """Who writes."""

    hostname: str
    sender_line: str
    """For `From:` (`dsn_from`)."""
    login: str
    """Whom we run as."""
    reply_to: str = ""
    """`errors_reply_to`."""
    size_limit: int = 0
    """`bounce_return_size_limit`: bytes of the body that go back; 0: all."""


def complaint(
    refused: Refused, to: str, head: Letterhead, message_id: str, now: float, received: bytes
) -> tuple[Envelope, Message]:
    """Envelope and message for the spool. `to`: the sender of what was refused; `received`: its Received: line."""
    subject, text = _words(refused)
    lines = [
        *([f"Reply-To: {head.reply_to}"] if head.reply_to else []),
        "Auto-Submitted: auto-replied",
        f"From: {head.sender_line}",
        f"To: {to}",
    ]
    if refused.message_id:
        own = None if refused.message is None else reference_to(refused.message)
        reference = own.decode("utf-8", "replace") if own else f"<E{refused.message_id}@{head.hostname}>"
        lines.append(f"References: {reference}")
    lines += [
        f"Subject: Mail failure - {subject}",
        f"Message-Id: <E{message_id}@{head.hostname}>",
        f"Date: {format_date(now)}",
    ]
    headers = received + "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    body = text.encode("utf-8", "surrogateescape") + _copy(refused, head.size_limit)
    envelope = Envelope(
        id=message_id,
        sender=None,
        recipients=(Recipient(to),),
        origin=Origin(protocol="local", ident=head.login),
        received_at=now,
    )
    return envelope, Message(headers, MemoryBody(body))


def _words(refused: Refused) -> tuple[str, str]:
    """(subject, text)."""
    match refused.kind:
        case "argument":
            address, why = refused.bad[0]
            return "malformed recipient address", (
                "A message that you sent contained a recipient address that was incorrectly\nconstructed:\n\n"
                f"  {address}  {why}\n\nThe message has not been delivered to any recipients.\n"
            )
        case "header_line" | "header_section":
            what = refused.kind.replace("_", " ")
            return f"overlong {what}", (
                f"A message that you sent contained a {what} that was excessively\n"
                "long and could not be handled by the mail transmission software. The\n"
                "message has not been delivered to any recipients.\n"
            )
        case "headers":
            listed = "".join(f"  {address}: {why}\n" for address, why in refused.bad)
            ignored = "These addresses have" if len(refused.bad) > 1 else "This address has"
            return "malformed recipient address", (
                "A message that you sent contained one or more recipient addresses that were\nincorrectly constructed:\n\n"
                f"{listed}\n{ignored} been ignored. {_OTHERS if refused.is_taken else _NO_OTHERS}"
            )
        case "none":
            return "no recipient addresses", (
                "A message that you sent contained no recipient addresses, and therefore no\ndelivery could be attempted.\n"
            )
        case "recipients":
            return "too many recipients", (
                "A message that you sent contained more recipients than allowed on this\n"
                "system. It was not delivered to any recipients.\n"
            )
        case "size":
            return "message too big", (
                "A message that you sent was longer than the maximum size allowed on this\n"
                "system. It was not delivered to any recipients.\n"
            )
        case "configuration" | "discarded" | "policy" | "space":
            return "rejected by local scanning code", (
                "A message that you sent was rejected by the local scanning code that\nchecks incoming messages on this "
                f"system. The following error was given:\n\n  {refused.why}\n"
            )


def _copy(refused: Refused, limit: int) -> bytes:
    """With the line in front."""
    if refused.message is None:
        return COPY.encode()
    is_cut = refused.kind in ("header_line", "header_section")
    start = b"" if refused.message_id or is_cut or not refused.message.headers else b"\n"
    body = b"".join(refused.message.body.chunks())
    said = COPY
    if 0 < limit < len(refused.message.headers) + 1 + len(body):
        said = _COPY_OF_PART.format(limit=limit)
        body = body[: (body.find(b"\n", limit) + 1) or None]  # whole lines
    return said.encode() + start + refused.message.headers + b"\n" + body
