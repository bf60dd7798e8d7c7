"""Variables about the message, over `flow.facts.MessageFacts` (Exim 11.9)."""

from __future__ import annotations

from pillarbox.flow.facts import MessageFacts, StrictAclVariables
from pillarbox.flow.settings import SmtpLimits
from pillarbox.language.expand.headers import decode_words
from pillarbox.language.expand.registry import header_source, variable, variable_family, variable_with
from pillarbox.mail import header
from pillarbox.mail.address import split_address


@header_source(MessageFacts)
def headers(facts: MessageFacts) -> bytes:
    return facts.message.headers if facts.message is not None else b""


@variable("message_exim_id", MessageFacts, doc="The message's id in the queue and the log.", tainted=False)
def message_exim_id(facts: MessageFacts) -> str:
    return facts.id


@variable("message_id", MessageFacts, doc="Older name of $message_exim_id.", tainted=False)
def message_id(facts: MessageFacts) -> str:
    return facts.id


@variable("authenticated_sender", MessageFacts, doc="Who vouches for the message: what AUTH= of MAIL said.")
def authenticated_sender(facts: MessageFacts) -> str:
    return facts.auth_sender


@variable("sender_address", MessageFacts, doc="The envelope sender; empty for bounces.")
def sender_address(facts: MessageFacts) -> str:
    return facts.sender or ""


@variable("sender_address_local_part", MessageFacts, doc="Local part of the envelope sender.")
def sender_address_local_part(facts: MessageFacts) -> str:
    return split_address(facts.sender or "")[0]


@variable("sender_address_domain", MessageFacts, doc="Domain of the envelope sender.")
def sender_address_domain(facts: MessageFacts) -> str:
    return split_address(facts.sender or "")[1]


@variable(
    "message_size", MessageFacts, doc="Size in bytes; -1 while it is not known.", tainted=False, absent="0"
)
def message_size(facts: MessageFacts) -> str:
    return str(facts.size)


@variable("message_body_size", MessageFacts, doc="Size of the body in bytes.", tainted=False, absent="0")
def message_body_size(facts: MessageFacts) -> str:
    return str(facts.message.body.size) if facts.message is not None else "0"


@variable("body_linecount", MessageFacts, doc="Lines of the body.", tainted=False, absent="0")
def body_linecount(facts: MessageFacts) -> str:
    return str(facts.message.body.lines) if facts.message is not None else "0"


@variable("message_linecount", MessageFacts, doc="Lines of headers and body.", tainted=False, absent="0")
def message_linecount(facts: MessageFacts) -> str:
    message = facts.taken or facts.message
    if message is None:
        return "0"
    dividing = facts.taken is not None  # the blank line counts while the message comes in
    return str(message.headers.count(b"\n") + dividing + message.body.lines)


@variable_with(
    "message_body", MessageFacts, SmtpLimits, doc="The beginning of the body (message_body_visible)."
)
def message_body(facts: MessageFacts, limits: SmtpLimits) -> str:
    if facts.message is None:
        return ""
    first = b""
    for chunk in facts.message.body.chunks():
        first += chunk[: limits.message_body_visible - len(first)]
        if len(first) >= limits.message_body_visible:
            break
    return _shown(first if limits.message_body_newlines else first.replace(b"\n", b" "))


def _shown(text: bytes) -> str:
    """Zero bytes as spaces."""
    return text.replace(b"\0", b" ").decode("utf-8", "surrogateescape")


@variable(
    "message_headers",
    MessageFacts,
    doc="All header lines, encoded words (RFC 2047) decoded into the bytes they stand for.",
)
def message_headers(facts: MessageFacts) -> str:
    block = headers(facts).removesuffix(b"\n")
    return decode_words(block, "", checks_length=False).decode("utf-8", "surrogateescape")


@variable_with(
    "message_body_end", MessageFacts, SmtpLimits, doc="The end of the body (message_body_visible)."
)
def message_body_end(facts: MessageFacts, limits: SmtpLimits) -> str:
    """`message_body_newlines` does not matter here, as in Exim."""
    if facts.message is None or not limits.message_body_visible:
        return ""
    end = b""
    for chunk in facts.message.body.chunks():
        end = (end + chunk)[-limits.message_body_visible :]
    return _shown(end.replace(b"\n", b" "))


@variable("message_headers_raw", MessageFacts, doc="All header lines, as they are.")
def message_headers_raw(facts: MessageFacts) -> str:
    return headers(facts).decode("utf-8", "surrogateescape")


@variable("received_count", MessageFacts, doc="Received: lines, ours included.", tainted=False, absent="0")
def received_count(facts: MessageFacts) -> str:
    return str(sum(1 for _ in header.iterate(headers(facts), "Received")))


@variable("reply_address", MessageFacts, doc="The Reply-To: line, or else the From: line.")
def reply_address(facts: MessageFacts) -> str:
    for name in ("Reply-To", "From"):
        value = header.first(headers(facts), name)
        if value:
            return value.strip().decode("utf-8", "surrogateescape")
    return ""


@variable("recipients_count", MessageFacts, doc="Recipients accepted so far.", tainted=False, absent="0")
def recipients_count(facts: MessageFacts) -> str:
    return str(facts.recipients_count)


@variable("received_for", MessageFacts, doc="The recipient, when there is only one; for Received: lines.")
def received_for(facts: MessageFacts) -> str:
    return facts.received_for


@variable(
    "received_time",
    MessageFacts,
    doc="When the message came, seconds since the epoch.",
    tainted=False,
    absent="0",
)
def received_time(facts: MessageFacts) -> str:
    return str(int(facts.received_at))


@variable_family(
    "acl_c", MessageFacts, doc="Set by ACLs, for the connection.", tainted=False, strict=StrictAclVariables
)
def acl_connection(facts: MessageFacts, name: str) -> str | None:
    return facts.variables.get(name)


@variable_family(
    "acl_m", MessageFacts, doc="Set by ACLs, for the message.", tainted=False, strict=StrictAclVariables
)
def acl_message(facts: MessageFacts, name: str) -> str | None:
    return facts.variables.get(name)
