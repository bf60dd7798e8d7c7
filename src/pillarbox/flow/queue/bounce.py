"""The bounce: a delivery status notification that says which addresses failed and why (RFC 3464, RFC 3461 §6, Exim chapter 50).

Three parts, in the words of Exim 4.100: text for people, `message/delivery-status` for machines, and the message or its headers. Delay
warnings and success notifications have the same frame and are made here and in `warning`. What the notification carries of the remote
host's words is what that host said; our own log text is shown where there is no reply, as Exim does. The machine part names the
recipient that the sender wrote, not what aliases made of it.

Internationalised messages get `message/global…` parts (RFC 6533).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Literal

import msgspec

from pillarbox.flow.own_message import reference_to
from pillarbox.flow.route.result import Letter
from pillarbox.flow.transport.headers import return_path
from pillarbox.mail.date import format_date
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.outcome import Deferred, Failed, Outcome
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.outcome_line import NOT_CONNECTED

Action = Literal["failed", "delayed", "delivered"]


class Style(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says about notifications."""

    hostname: str
    """`primary_hostname`: Reporting-MTA and the right side of message ids."""
    sender_line: str
    """`dsn_from`: the From: field's value."""
    return_size_limit: int = 102400
    """`bounce_return_size_limit`: larger messages come back as headers only."""
    return_message: bool = True
    """`bounce_return_message`."""
    return_body: bool = True
    """`bounce_return_body`."""
    text: str = ""
    """`bounce_message_text`, behind the first sentence."""
    linesize_limit: int = 998
    """`bounce_return_linesize_limit`: messages with longer lines come back as headers only; 0: no limit."""
    reply_to: str = ""
    """`errors_reply_to`."""
    protocol: str = "local"
    user: str = ""
    """Login name that we run as: `U=` on the notice's log line."""
    last_hops: frozenset[str] = frozenset()
    """Names of routers with `dsn_lasthop`."""
    auth_sender: str = ""
    """`bounce_sender_authentication`: who vouches for notices."""


class Report(msgspec.Struct, frozen=True):
    """One address in a notification."""

    outcome: Outcome
    action: Action
    recipient: Recipient
    diagnosis: str = ""
    """`Diagnostic-Code:` in place of the host's reply."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same in all three kinds of notification."""

    to: str
    head: str
    """`Subject: …`, and what else the configuration's own text puts into the header; without the last newline."""
    human: str
    reports: Sequence[Report]
    failed: tuple[str, ...] = ()
    """For `X-Failed-Recipients:`."""
    may_return_body: bool = True
    copies: tuple[str, ...] = ()
    """Who else gets it (`errors_copy`)."""
    charset: str = "us-ascii"
    """Of the text for people."""
    is_success: bool = False
    """It answers nothing (`Auto-Submitted: auto-generated`)."""


class Texts(msgspec.Struct, frozen=True):
    """What the configuration says in place of the usual words; empty: the usual ones."""

    head: str = ""
    first: str = ""
    last: str = ""
    is_own: bool = False
    """There is a file of texts. A warning then has no last part but its own."""


USUAL_TEXTS = Texts()
HIDDEN = "an undisclosed address"
UNBLAMED = NOT_CONNECTED | {"auth_failed"}
"""Errors with which notices do not name the host: nothing was said there about the message."""
_WAYS = {"|": "pipe to", "/": "save to", ">": "autoreply to"}
_ROUNDING = 8192
"""`bounce_return_size_limit` is rounded up to a multiple of this, as Exim does."""
_LONG_ENOUGH = 45
"""Columns after which a reason is broken behind the next colon."""
_HEADERS_ONLY = b"X-Exim-DSN-Information: Due to administrative limits only headers are returned\n"


def bounce_text(
    parent: Envelope, to: str, reports: Sequence[Report], text: str = "", own: Texts = USUAL_TEXTS
) -> str:
    """What a person reads about permanent failures."""
    told = (
        "A message that you sent could not be delivered to one or more of its\n"
        "recipients. This is a permanent error. The following address(es) failed:\n"
        if to == parent.sender
        else f"A message sent by\n\n  <{parent.sender or ''}>\n\n"
        "could not be delivered to one or more of its recipients. The following\n"
        "address(es) failed:\n"
    )
    first = own.first or f"This message was created automatically by mail delivery software.\n{text}\n{told}"
    addresses = "".join(_paragraph(report.outcome) for report in reports)
    return f"{first}\n{addresses}{_outputs(reports, own.last)}"


def _outputs(reports: Sequence[Report], own: str) -> str:
    """What commands wrote (Exim 29.2: `return_output`, `return_fail_output`). Addresses that shared a command stand over one text."""
    told = [report.outcome for report in reports if isinstance(report.outcome, Failed)]
    count = sum(1 for outcome in told if outcome.output)
    if not count:
        return ""
    attempts = "attempts" if count > 1 else "attempt"
    text = "\n" + (own or f"The following text was generated during the delivery {attempts}:\n")
    for outcome in told:
        if outcome.output:
            output = outcome.output.decode("utf-8", "surrogateescape")
            end = "" if output.endswith("\n") else "\n"
            text += f"\n------ {named(outcome, '       ')} ------\n\n{output}{end}"
    return text


def bounce_head(parent: Envelope, to: str) -> str:
    returning = ": returning message to sender" if to == parent.sender else ""
    return f"Subject: Mail delivery failed{returning}"


def compose(
    notice: Notice, style: Style, message_id: str, parent: Envelope, original: Message, now: float
) -> tuple[Envelope, Message]:
    """The envelope (null sender, so that it never causes another) and the message of a notification."""
    boundary = _boundary(message_id, now)
    status_kind, copy_kind, copy = _returned(notice, style, parent, original)
    human = notice.human.encode("utf-8", "surrogateescape")
    charset = notice.charset if human.isascii() or notice.charset.lower() != "us-ascii" else "utf-8"
    machine = _delivery_status(notice, style, parent).encode("utf-8", "surrogateescape")
    parts = (
        (f"text/plain; charset={charset}", human),
        (status_kind, machine),
        *(((copy_kind, copy),) if copy_kind else ()),
    )
    body = b"".join(_part(boundary, kind, data) for kind, data in parts) + f"--{boundary}--\n".encode()
    headers = _headers(notice, style, message_id, original, boundary, now)
    envelope = Envelope(
        id=message_id,
        sender=None,
        recipients=tuple(Recipient(address) for address in dict.fromkeys((notice.to, *notice.copies))),
        origin=Origin(protocol=style.protocol, ident=style.user),
        received_at=now,
        auth_sender=style.auth_sender,
        body_type="" if body.isascii() else "8BITMIME",
        smtputf8=not headers.isascii() or not notice.to.isascii(),
    )
    return envelope, Message(headers, MemoryBody(body))


def _boundary(message_id: str, now: float) -> str:
    """As long as Exim's, so that notices have the size of Exim's. What they return may be a notice itself: no two should have the same."""
    number = 1_000_000_000 + zlib.crc32(message_id.encode()) % 1_147_483_648
    return f"{int(now)}-eximdsn-{number}"


def compose_letter(
    letter: Letter, style: Style, message_id: str, original: Message, now: float
) -> tuple[Envelope, Message]:
    """A plain text from `<>`, which names the message on its first line, as Exim's do."""
    lines = [
        _received(style, [letter.to], message_id, now),
        "Auto-Submitted: auto-replied",
        f"From: {style.sender_line}",
    ]
    lines += [
        f"To: {letter.to}",
        f"Subject: {letter.subject}",
        f"Message-Id: <E{message_id}@{style.hostname}>",
        f"Date: {format_date(now)}",
    ]
    told = "".join(f"{line}\n" for line in _references(original))
    body = f"{told}{letter.text}".encode("utf-8", "surrogateescape")
    envelope = Envelope(
        id=message_id,
        sender=None,
        recipients=(Recipient(letter.to),),
        origin=Origin(protocol=style.protocol, ident=style.user),
        received_at=now,
        auth_sender=style.auth_sender,
        body_type="" if body.isascii() else "8BITMIME",
    )
    headers = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    return envelope, Message(headers, MemoryBody(body))


def _received(style: Style, recipients: Sequence[str], message_id: str, now: float) -> str:
    only = f"\n\tfor {recipients[0]}" if len(recipients) == 1 else ""
    start = f"Received: from {style.user} by {style.hostname} with {style.protocol} (Pillarbox)"
    return f"{start}\n\tid {message_id}{only};\n\t{format_date(now)}"


def _references(original: Message) -> list[str]:
    reference = reference_to(original)
    if not reference or len(reference) >= 900:
        return []
    return [f"References: {reference.decode('utf-8', 'replace')}"]


def _headers(
    notice: Notice, style: Style, message_id: str, original: Message, boundary: str, now: float
) -> bytes:
    lines = [_received(style, list(dict.fromkeys((notice.to, *notice.copies))), message_id, now)]
    if notice.failed:
        lines.append("X-Failed-Recipients: " + ",\n  ".join(notice.failed))
    if style.reply_to:
        lines.append(f"Reply-To: {style.reply_to}")
    if notice.is_success:
        lines += [
            f"From: {style.sender_line}",
            "Auto-Submitted: auto-generated",
            f"To: {notice.to}",
            notice.head,
        ]
    else:
        lines += ["Auto-Submitted: auto-replied", f"From: {style.sender_line}", f"To: {notice.to}"]
    lines += _references(original)
    lines += [
        f"Content-Type: multipart/report; report-type=delivery-status; boundary={boundary}",
        "MIME-Version: 1.0",
        *(() if notice.is_success else (notice.head,)),
        f"Message-Id: <E{message_id}@{style.hostname}>",
        f"Date: {format_date(now)}",
    ]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _part(boundary: str, kind: str, data: bytes) -> bytes:
    encoding = b"" if data.isascii() else b"Content-Transfer-Encoding: 8bit\n"
    tail = b"" if data.endswith(b"\n") else b"\n"
    return f"--{boundary}\nContent-type: {kind}\n".encode() + encoding + b"\n" + data + tail + b"\n"


def _returned(notice: Notice, style: Style, parent: Envelope, original: Message) -> tuple[str, str, bytes]:
    """Content types of the status and of the copy, and the copy: whole, headers only, or nothing (empty type)."""
    is_global = parent.smtputf8
    status_kind = "message/global-delivery-status" if is_global else "message/delivery-status"
    if not style.return_message:
        return status_kind, "", b""
    headers = return_path(parent.sender) + original.headers
    may_return_body = notice.may_return_body and style.return_body and parent.ret != "HDRS"
    is_within_limits = _is_within_limits(original, style)
    if may_return_body and is_within_limits:
        copy = b"\n".join((headers, b"".join(original.body.chunks())))
        return status_kind, "message/global" if is_global else "message/rfc822", copy
    why = _HEADERS_ONLY if may_return_body else b""
    kind = "message/global-headers" if is_global else "text/rfc822-headers"
    return status_kind, kind, headers + why + b"\n"


def _is_within_limits(original: Message, style: Style) -> bool:
    limit = style.return_size_limit
    if limit > 0 and original.body.size > (limit // _ROUNDING + 1) * _ROUNDING:
        return False
    longest = style.linesize_limit
    return not any(len(line) > longest for line in _lines(original))


def _lines(original: Message) -> list[bytes]:
    return original.headers.split(b"\n") + b"".join(original.body.chunks()).split(b"\n")


def _paragraph(outcome: Outcome) -> str:
    """One failed address and its reason, as Exim lays it out."""
    lines = [f"  {named(outcome, '    ')}\n", *whose_words(outcome)]
    if isinstance(outcome, (Failed, Deferred)) and not outcome.is_hidden:
        reason = public_reason(outcome)
        lines += [f"    {broken(reason)}\n"] if reason else []
    return "".join(lines)


def whose_words(outcome: Outcome) -> list[str]:
    """A line for the host that was reached."""
    if outcome.host is None or (isinstance(outcome, Deferred) and outcome.error in UNBLAMED):
        return []
    return [f"    host {outcome.host.name} [{outcome.host.address}]\n"]


def named(outcome: Outcome, indent: str) -> str:
    """The address, and where it came from."""
    if outcome.recipient == outcome.address:
        return outcome.address
    address = HIDDEN if outcome.is_hidden else outcome.address
    way = _way_to(outcome.address)
    if not way or outcome.is_hidden:
        if address.lower() == outcome.recipient.lower():
            return address
        ultimately = "ultimately " if outcome.parents else ""
        return f"{address}\n{indent}({ultimately}generated from {outcome.recipient})"
    ultimately = f"\n{indent}(ultimately generated from {outcome.recipient})" if outcome.parents else ""
    return f"{way} {address}\n{indent}generated by {blamed(outcome)}{ultimately}"


def _way_to(address: str) -> str:
    """What has no domain is a file whose path begins nowhere in particular. Empty: an address."""
    return _WAYS.get(address[:1]) or ("" if "@" in address else _WAYS["/"])


def blamed(outcome: Outcome) -> str:
    """The address that failed: of a pipe, a file or an answer that which led there."""
    if not _way_to(outcome.address) or outcome.address == outcome.recipient:
        return outcome.address
    return outcome.parents[0] if outcome.parents else outcome.recipient


def broken(text: str) -> str:
    """A reason in lines: its own, and a new one behind a colon when the line has become long. All but the first are indented."""
    return "\n    ".join(_break(line) for line in text.split("\n"))


def _break(line: str) -> str:
    done, rest = "", line
    while (at := rest.find(": ", _LONG_ENOUGH)) >= 0:
        done += rest[: at + 1] + "\n    "
        rest = rest[at + 2 :]
    return done + rest


def public_reason(outcome: Failed | Deferred) -> str:
    """The reason as the sender, perhaps a stranger, may read it; empty: none. What only the log has names our files and hosts."""
    return outcome.reason.peer


def _delivery_status(notice: Notice, style: Style, parent: Envelope) -> str:
    """RFC 3464 §2.1: fields of the message, then a block of fields for each recipient."""
    fields = f"Reporting-MTA: dns; {style.hostname}\n"
    if parent.envid:
        fields += f"Original-Envelope-ID: {_one_line(parent.envid)}\n"
    return fields + "\n" + "\n".join(_recipient_block(report) for report in _machine_order(notice.reports))


def _machine_order(reports: Sequence[Report]) -> list[Report]:
    """Exim's: of failures those whose command said something, then the others, each from the last to the first."""
    if any(report.action != "failed" for report in reports):
        return list(reports)
    spoken = [r for r in reports if isinstance(r.outcome, Failed) and r.outcome.output]
    silent = [r for r in reports if not (isinstance(r.outcome, Failed) and r.outcome.output)]
    return spoken[::-1] + silent[::-1]


def _recipient_block(report: Report) -> str:
    outcome = report.outcome
    address = outcome.recipient
    kind = "rfc822" if address.isascii() else "utf-8"
    lines = []
    if report.recipient.orcpt:
        lines.append(f"Original-Recipient: {_one_line(report.recipient.orcpt)}")
    lines.append(f"Action: {report.action}")
    lines += [f"Final-Recipient: {kind};{address}", f"Status: {status_code(report)}"]
    if outcome.host is not None and outcome.reply is not None:
        lines.append(f"Remote-MTA: dns; {outcome.host.name}")
    if report.diagnosis or outcome.reply is not None:
        lines.append(f"Diagnostic-Code: {report.diagnosis or f'smtp; {_folded(outcome.reply)}'}")
    return "".join(f"{line}\n" for line in lines)


def _folded(reply: Reply | None) -> str:
    """As it came, each further line as a continuation."""
    return "" if reply is None else reply.as_said.replace("\n", "\n ")


def status_code(report: Report) -> str:
    """The enhanced status code (RFC 3463): the remote host's when its class fits the action, a general one otherwise."""
    wanted = {"failed": "5", "delayed": "4"}.get(report.action, "2")
    reply: Reply | None = report.outcome.reply
    if reply is not None and reply.enhanced.startswith(wanted):
        return reply.enhanced
    return f"{wanted}.0.0"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def wants_failure_notice(recipient: Recipient) -> bool:
    """RFC 3461 §4.1: without NOTIFY, failures are reported."""
    return not recipient.notify or "FAILURE" in recipient.notify


def wants_delay_notice(recipient: Recipient) -> bool:
    return not recipient.notify or "DELAY" in recipient.notify
