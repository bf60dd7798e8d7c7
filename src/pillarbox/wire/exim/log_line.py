"""Lines of Exim's mainlog, without their time stamp: what comes, from whom, and how it ends (Exim chapter 53; checked against 4.100).

`eximstats` and `exigrep` read these. Text that comes from others is made printable, so a line stays one line. Those about deliveries are in
`outcome_line`.

Known gaps: no `DMARC`, `SPF` items.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from pillarbox.mail.arrival import Arrival
from pillarbox.mail.encoded_words import decoded_words
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.header import parse_headers
from pillarbox.mail.message import Message
from pillarbox.wire.exim.log_style import USUAL, LogStyle, show_elapsed

_MESSAGE_ID = re.compile(
    rb'\nmessage-id[ \t]*:[ \t]*(?:\n[ \t]+)?(?:<([^<>\s"]{1,512})>|([^<>()\s"@]{1,256}@[^<>()\s"]{1,256}))',
    re.IGNORECASE,
)
"""Behind a newline put in front: a search for `^` would try each character."""
_RESENT_ID = re.compile(rb'\nresent-message-id[ \t]*:[ \t]*(?:\n[ \t]+)?<([^<>\s"]{1,512})>', re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[^ -~]")
_TOPBIT = re.compile(rb"\\([23][0-7]{2})")
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b", "\v": "\\v"}


def printable(text: str) -> str:
    """Exim's way with what is not printable ASCII: `\\n`, `\\t`, octal bytes. Backslashes stay as they are."""
    if text.isascii() and text.isprintable():
        return text
    return _UNPRINTABLE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found.group(0)
    known = _ESCAPES.get(character)
    return known or "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))


def with_topbit(line: str) -> str:
    """`print_topbitchars`: octal escapes of bytes above 127 become these bytes. A backslash and three such digits in the text itself are
    taken for an escape."""
    if "\\" not in line:
        return line
    data = line.encode("utf-8", "surrogateescape")
    return _TOPBIT.sub(lambda found: bytes((int(found[1], 8),)), data).decode("utf-8", "surrogateescape")


USUAL_ARRIVAL = Arrival()
TAB = "\t"


def shown_address(address: str) -> str:
    """Letters beyond ASCII stand as they are in arrivals' senders and the addresses of deliveries; elsewhere they are escaped."""
    return address if address.isprintable() else printable(address)


def line_received(
    envelope: Envelope,
    message: Message,
    *,
    reference: str = "",
    style: LogStyle = USUAL,
    arrival: Arrival | None = None,
) -> str:
    """`<=`: a message has come. `reference`: id of the message that a bounce is about (`R=`)."""
    origin = envelope.origin
    arrival = arrival or USUAL_ARRIVAL
    parts = [f"{envelope.id} {'(=' if arrival.is_fake else '<='} {shown_address(envelope.sender or '<>')}"]
    if reference := reference or arrival.reference:
        parts.append(f"R={reference}")
    if who := host_and_ident(origin, style):
        parts.append(who)
    parts.append(f"P={origin.protocol}")
    if arrival.pipelining and style.shows("pipelining"):
        parts.append(arrival.pipelining)
    if origin.tls_cipher or origin.authenticator:
        secured = f"{security(origin, style)}{login(origin)}"
        if origin.authenticator and envelope.auth_sender and style.shows("smtp_mailauth"):
            secured += f":{printable(envelope.auth_sender)}"
        parts += [secured[1:]] if secured else []
    if arrival.is_prdr:
        parts.append("PRDR")
    if arrival.proxy and style.shows("proxy"):
        parts.append(f"PRX={arrival.proxy}")
    if arrival.is_chunked:
        parts.append("K")
    parts.append(f"S={message.size}")
    if not style.is_default and style.shows("8bitmime"):
        parts.append(f"M8S={_BODY_TYPES.get(arrival.body_type or envelope.body_type, '0')}")
    if arrival.signed_by and style.shows("dkim"):
        parts.append(f"DKIM={printable(arrival.signed_by)}")
    if wished := dsn(envelope, envelope.recipients, style):
        parts.append(wished[1:])
    if envelope.queue:
        parts.append(f"Q={envelope.queue}")
    parts += _named(envelope, message, style, arrival)
    return " ".join(
        parts if style.is_default else parts + _received_extras(envelope, message, style, arrival)
    )


def security(origin: Origin, style: LogStyle = USUAL) -> str:
    """` X=… CV=… DN="…" SNI=…`, as far as they are known and wanted. `CV` is about a certificate that was shown."""
    if not origin.tls_cipher:
        return ""
    text = ""
    if style.shows("tls_cipher"):
        resumed = "*" if origin.tls_resumed and style.shows("tls_resumption") else ""
        text = f" X={origin.tls_cipher}{resumed}"
    if (origin.tls_verified or origin.tls_peer_name) and style.shows("tls_certificate_verified"):
        text += f" CV={'yes' if origin.tls_verified else 'no'}"
    if origin.tls_peer_name and style.shows("tls_peerdn"):
        text += f' DN="{printable(origin.tls_peer_name)}"'
    if origin.tls_sni and style.shows("tls_sni"):
        text += f" SNI={printable(origin.tls_sni)}"
    return text


def login(origin: Origin) -> str:
    """` A=authenticator:who`."""
    if not origin.authenticator:
        return ""
    who = f":{printable(origin.authenticated_id)}" if origin.authenticated_id else ""
    return f" A={origin.authenticator}{who}"


def _named(envelope: Envelope, message: Message, style: LogStyle, arrival: Arrival) -> list[str]:
    """How long it took, and its own name."""
    parts: list[str] = []
    if arrival.elapsed >= 0 and style.shows("receive_time"):
        parts.append(f"RT={show_elapsed(arrival.elapsed, style)}")
    headers = arrival.named_by or message.headers
    pattern = _RESENT_ID if headers.find(b"esent-") >= 0 else _MESSAGE_ID
    found = pattern.search(b"\n" + headers) if style.shows("msg_id") else None
    name = found.group(found.lastindex or 0).decode("utf-8", "surrogateescape") if found else ""
    if name.startswith((f"E{envelope.id}@", f"E{envelope.id}.")):  # that one is ours
        if style.shows("msg_id_created"):
            parts.append(f"id*={printable(name)}")
    elif name:
        parts.append(f"id={printable(name)}")
    return parts


class Wishes(Protocol):
    """Of MAIL, or of the envelope that was made of it."""

    @property
    def ret(self) -> str: ...
    @property
    def envid(self) -> str: ...


def dsn(mail: Wishes, recipients: Iterable[Recipient], style: LogStyle) -> str:
    """` DSN=ret,notify`: which parameters of RFC 3461 came, where that is wanted."""
    if style.is_default or not style.shows("dsn"):
        return ""
    wishes = dsn_wishes(mail, recipients)
    return f" DSN={','.join(wishes)}" if wishes else ""


def dsn_wishes(mail: Wishes, recipients: Iterable[Recipient]) -> list[str]:
    """Which parameters of RFC 3461 came with it."""
    told = {"ret": bool(mail.ret), "envid": bool(mail.envid), "orcpt": False, "notify": False}
    for recipient in recipients:
        told["orcpt"] |= bool(recipient.orcpt)
        told["notify"] |= bool(recipient.notify)
    return [word for word, is_told in told.items() if is_told]


_BODY_TYPES = {"7BIT": "7", "8BITMIME": "8"}


def _received_extras(envelope: Envelope, message: Message, style: LogStyle, arrival: Arrival) -> list[str]:
    """What stands at the end when it was asked for."""
    parts = []
    subject = _subject(message.headers) if style.shows("subject") else None
    if subject is not None:
        text = decoded_words(subject.decode("utf-8", "surrogateescape"))
        parts.append(f'T="{TAB.join(map(quoted, text.split(TAB)))}"')
    if style.shows("received_sender"):
        parts.append(f"from <{printable(arrival.written_sender or envelope.sender or '')}>")
    recipients = arrival.recipients or envelope.recipients
    if style.shows("received_recipients") and recipients:
        shown = arrival.written_recipients or [recipient.address for recipient in recipients]
        parts.append("for " + " ".join(map(printable, shown)))
    return parts


def _subject(headers: bytes) -> bytes | None:
    """Folded as it is: line ends are shown, tabs stand as they are."""
    raw = next((field.raw for field in parse_headers(headers) if field.name.lower() == "subject"), None)
    return None if raw is None else raw.partition(b":")[2].strip()


def quoted(text: str) -> str:
    return printable(text.replace("\\", "\\\\").replace('"', '\\"'))


def shown_helo(origin: Origin) -> str:
    """What the host calls itself; empty where its name is known and that says the same."""
    name, helo = origin.host_name, origin.helo
    if not name or not helo:
        return helo
    same = (name.lower(), f"[{origin.host_address}]", f"[ipv6:{origin.host_address}]")
    return "" if helo.lower() in same else helo


def sending_host(origin: Origin, style: LogStyle = USUAL) -> str:
    """`name (helo) [address]`: Exim's $sender_fullhost; its port with `incoming_port`."""
    address, name, helo = origin.host_address, origin.host_name, shown_helo(origin)
    shown = f"{printable(name)} " if name else ""
    shows_port = not style.is_default and origin.host_port and style.shows("incoming_port")
    port = f":{origin.host_port}" if shows_port else ""
    return f"{shown}({printable(helo)}) [{address}]{port}" if helo else f"{shown}[{address}]{port}"


def host_and_ident(origin: Origin, style: LogStyle = USUAL) -> str:
    """`H=name (helo) [address] I=[address]:port U=ident Ci=connection`, as far as they are known and wanted."""
    host = f"H={sending_host(origin, style)}" if origin.host_address else ""
    ident = f"U={printable(origin.ident)}" if origin.ident else ""
    if not style.is_default:
        host += interface(origin, style) if host else ""
        ident = f"{ident}{connection(origin, style)}" if ident else connection(origin, style)[1:]
    return f"{host} {ident}" if host and ident else host or ident


def peer(origin: Origin, style: LogStyle = USUAL) -> str:
    """`name (helo) [address] I=[address]:port Ci=connection`; for a program on this machine, its user."""
    if not origin.host_address:
        return f"{printable(origin.ident)}{connection(origin, style)}"
    return f"{sending_host(origin, style)}{interface(origin, style)}{connection(origin, style)}"


def smtp_connection(origin: Origin, style: LogStyle = USUAL) -> str:
    """`SMTP connection Ci=connection from name (helo) [address] I=[address]:port`; for a program on this machine, from its user."""
    who = (
        f"{sending_host(origin, style)}{interface(origin, style)}"
        if origin.host_address
        else printable(origin.ident)
    )
    return f"SMTP connection{connection(origin, style)} from {who}"


def interface(origin: Origin, style: LogStyle) -> str:
    """` I=[address]:port`, our end of it, where it is wanted."""
    if not (origin.interface_address and style.shows("incoming_interface")):
        return ""
    return f" I=[{origin.interface_address}]:{origin.interface_port}"


def connection(origin: Origin, style: LogStyle) -> str:
    """` Ci=…`, where it is wanted."""
    return f" Ci={origin.connection_id}" if origin.connection_id and style.shows("connection_id") else ""


def line_completed(message_id: str, *, style: LogStyle = USUAL, age: float = 0.0) -> str:
    """`age`: seconds in the queue."""
    if style.shows("queue_time_overall"):
        return f"{message_id} Completed QT={show_elapsed(age, style)}"
    return f"{message_id} Completed"


def line_frozen(message_id: str, by: str = "") -> str:
    """`Frozen` by ourselves, `frozen by root` by somebody's command."""
    return f"{message_id} frozen by {printable(by)}" if by else f"{message_id} Frozen"


def line_removed(message_id: str, by: str) -> str:
    return f"{message_id} removed by {printable(by)}"
