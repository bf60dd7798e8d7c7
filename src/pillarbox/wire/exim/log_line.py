"""Lines of Exim's mainlog, without their time stamp (Exim chapter 53; checked against 4.100).

`eximstats` and `exigrep` read these. Text that comes from others is made printable, so a line stays one line.

Known gaps: no `DS`, `DSN`, `SPF`, `DMARC` items; `S=` of files is the message's size, without what the transport puts around it.
"""

from __future__ import annotations

import re

import msgspec

from pillarbox.mail.address import split_address, unquote_local_part
from pillarbox.mail.encoded_words import decoded_words
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.header import first as header_field
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import CLEAR, Deferred, Delivered, Failed, Outcome, RemoteHost, Security
from pillarbox.wire.exim.log_style import USUAL, LogStyle, show_elapsed

_MESSAGE_ID = re.compile(
    rb'\nmessage-id[ \t]*:[ \t]*(?:\n[ \t]+)?(?:<([^<>\s"]{1,512})>|([^<>()\s"@]{1,256}@[^<>()\s"]{1,256}))',
    re.IGNORECASE,
)
"""Behind a newline put in front: a search for `^` would try each character."""
_RESENT_ID = re.compile(rb'\nresent-message-id[ \t]*:[ \t]*(?:\n[ \t]+)?<([^<>\s"]{1,512})>', re.IGNORECASE)
NOT_CONNECTED = frozenset({"refused", "timeout_connect", "unreachable", "event"})
"""Errors whose text is the operating system's, or our own configuration's."""
UNPLACED = frozenset({"auth_failed", "dane", "event_close"})
"""Errors that the line of an address tells without the host."""
_BEFORE_ROUTING = frozenset({"queued", "retry_time"})
"""`queue_domains`, and domains whose retry time has not come: not even routed."""
_NOWHERE = frozenset({":blackhole:", "discarded"})
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


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """How a message came, as far as only its line tells it."""

    is_fake: bool = False
    """`(=`: its sender was told that it is refused."""
    is_chunked: bool = False
    is_prdr: bool = False
    proxy: str = ""
    """The proxy's address."""
    pipelining: str = ""
    """`L` where it was offered, with a dot for early pipelining, `-` where it was not used."""
    elapsed: float = -1.0
    """Seconds that the message took to come; below 0: not known."""
    recipients: tuple[Recipient, ...] = ()
    """Those it came for, when some of them do not get it."""
    written_sender: str = ""
    """As it was before rewriting; empty: as it is."""
    written_recipients: tuple[str, ...] = ()
    """The same of the recipients."""


USUAL_ARRIVAL = Arrival()


def _address(address: str) -> str:
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
    parts = [f"{envelope.id} {'(=' if arrival.is_fake else '<='} {_address(envelope.sender or '<>')}"]
    if reference:
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
        parts.append(f"M8S={_BODY_TYPES.get(envelope.body_type, '0')}")
    if not style.is_default and style.shows("dsn") and (wishes := dsn_wishes(envelope)):
        parts.append(f"DSN={','.join(wishes)}")
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
    pattern = _RESENT_ID if message.headers.find(b"esent-") >= 0 else _MESSAGE_ID
    found = pattern.search(b"\n" + message.headers) if style.shows("msg_id") else None
    name = found.group(found.lastindex or 0).decode("utf-8", "surrogateescape") if found else ""
    if name.startswith((f"E{envelope.id}@", f"E{envelope.id}.")):  # that one is ours
        if style.shows("msg_id_created"):
            parts.append(f"id*={printable(name)}")
    elif name:
        parts.append(f"id={printable(name)}")
    return parts


def dsn_wishes(envelope: Envelope) -> list[str]:
    """Which parameters of RFC 3461 came with it."""
    told = {
        "ret": envelope.ret,
        "envid": envelope.envid,
        "orcpt": any(recipient.orcpt for recipient in envelope.recipients),
        "notify": any(recipient.notify for recipient in envelope.recipients),
    }
    return [word for word, is_told in told.items() if is_told]


_BODY_TYPES = {"7BIT": "7", "8BITMIME": "8"}


def _received_extras(envelope: Envelope, message: Message, style: LogStyle, arrival: Arrival) -> list[str]:
    """What stands at the end when it was asked for."""
    parts = []
    subject = header_field(message.headers, "subject") if style.shows("subject") else None
    if subject is not None:
        parts.append(f'T="{_quoted(decoded_words(subject.decode("utf-8", "surrogateescape")))}"')
    if style.shows("received_sender"):
        parts.append(f"from <{printable(arrival.written_sender or envelope.sender or '')}>")
    recipients = arrival.recipients or envelope.recipients
    if style.shows("received_recipients") and recipients:
        shown = arrival.written_recipients or [recipient.address for recipient in recipients]
        parts.append("for " + " ".join(map(printable, shown)))
    return parts


def _quoted(text: str) -> str:
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


def interface(origin: Origin, style: LogStyle) -> str:
    """` I=[address]:port`, our end of it, where it is wanted."""
    if not (origin.interface_address and style.shows("incoming_interface")):
        return ""
    return f" I=[{origin.interface_address}]:{origin.interface_port}"


def connection(origin: Origin, style: LogStyle) -> str:
    """` Ci=…`, where it is wanted."""
    return f" Ci={origin.connection_id}" if origin.connection_id and style.shows("connection_id") else ""


def line_outcome(
    message_id: str,
    outcome: Outcome,
    *,
    is_additional: bool = False,
    style: LogStyle = USUAL,
    sender: str | None = None,
    age: float = 0.0,
    queue: str = "",
    is_passed_on: bool = False,
    has_dsn: bool = False,
) -> str:
    """`=>`, `**` or `==`; `->` for a further address that went with the same transaction (also told by `is_additional`), `>>` for a message
    that was passed on while it came.

    `sender` and `age` (seconds in the queue) are shown when the style asks for them; `queue`: its name, when it has one. `has_dsn`: it came
    with parameters of RFC 3461.
    """
    where = f" Q={queue}" if queue else ""
    match outcome:
        case Delivered():
            flag = "*>" if outcome.is_dry else "->" if is_additional or outcome.is_additional else "=>"
            flag = ">>" if is_passed_on else flag
            if style.is_default:  # none of the rest is in the usual selection
                return _line_delivered(message_id, outcome, flag, style, where)
            about = f"{_from(sender, style)}{_return_path(outcome, style)}{where}"
            dsn = _dsn_word(outcome) if has_dsn else ""
            line = _line_delivered(message_id, outcome, flag, style, about, dsn)
            if style.shows("queue_time"):
                line += f" QT={show_elapsed(age, style)}"
            return line + _took(outcome, style)
        case Failed():
            about = f"{_from(sender, style)}{_return_path(outcome, style)}{where}"
            who = f"{_who(outcome, outcome.log_word or outcome.address, style)}{about}"
            dsn = f" DSN={_dsn_word(outcome)}" if has_dsn and outcome.transport else ""
            why = f"{_how(outcome, style)}{dsn} : {printable(outcome.reason.log)}"
            return f"{message_id} ** {who}{why}{_took(outcome, style)}"
        case Deferred():
            who = f"{_who(outcome, outcome.log_word or outcome.address, style)}{where}{_drivers(outcome)}"
            if outcome.error == "retry_time" and not outcome.router:
                return f"{message_id} == {who} routing defer: retry time not reached"
            is_unrouted = not outcome.router and outcome.error in _BEFORE_ROUTING
            routing = " routing" if is_unrouted else ""
            return f"{message_id} == {who}{routing} defer{_why_deferred(outcome, style)}"
        case _:
            raise TypeError("an outcome is Delivered, Deferred or Failed")


def _dsn_word(outcome: Outcome) -> str:
    """Whether the next host reports (`yes`), cannot (`notpeer`), or is none (`notsmtp`)."""
    if outcome.host is None:
        return "notsmtp"
    return "yes" if outcome.is_dsn_passed_on else "notpeer"


def _from(sender: str | None, style: LogStyle) -> str:
    return f" F=<{_address(sender or '')}>" if style.shows("sender_on_delivery") else ""


def _return_path(outcome: Outcome, style: LogStyle) -> str:
    if outcome.return_path is None or not style.shows("return_path_on_delivery"):
        return ""
    return f" P=<{_address(outcome.return_path)}>"


def _took(outcome: Outcome, style: LogStyle) -> str:
    return f" DT={show_elapsed(outcome.elapsed, style)}" if style.shows("deliver_time") else ""


def _line_delivered(
    message_id: str, outcome: Delivered, flag: str, style: LogStyle, about: str, dsn: str = ""
) -> str:
    address = outcome.address
    word = outcome.log_word or (
        unquote_local_part(split_address(address)[0]).lower()
        if outcome.host is None and outcome.path and not outcome.shows_domain
        else address
    )
    line = f"{message_id} {flag} {_who(outcome, word, style)}{about}{_how(outcome, style)}"
    if dsn:
        line += f" DSN={dsn}"
    if outcome.startup and style.shows("protocol_detail"):
        line += f" PS={outcome.startup}"
    if outcome.pipelining and style.shows("pipelining"):
        line += f" {outcome.pipelining}"
    if outcome.is_prdr:
        line += " PRDR"
    if outcome.chunking:
        line += " K"
    if outcome.reply is not None and style.shows("smtp_confirmation"):
        said = printable(outcome.reply.as_said).replace("\\", "\\\\").replace('"', '\\"')
        line += f' C="{said}"'
    if outcome.shadow:
        line += f" ST={printable(outcome.shadow)}"
    return line


def _who(outcome: Outcome, word: str, style: LogStyle) -> str:
    """`word <recipient>`, as far as they differ; all parents between when the style asks for them, the nearest of files, pipes and
    answers."""
    if word == outcome.recipient or (_differs_in_domain(word, outcome) and not outcome.parents):
        return _address(word)
    if word in _NOWHERE:
        return f"{word} <{_address(outcome.address)}>"
    parents = ""
    if outcome.parents:
        count = None if style.shows("all_parents") else 1 if word[:1] in ("/", "|", ">") else 0
        shown = outcome.parents[:count]
        parents = f" ({', '.join(map(_address, shown))})" if shown else ""
    return f"{_address(word)}{parents} <{_address(outcome.recipient)}>"


def _differs_in_domain(word: str, outcome: Outcome) -> bool:
    """By the case of its letters alone, which is not worth telling."""
    local, _, domain = outcome.recipient.rpartition("@")
    return word == f"{local}@{domain.lower()}" and outcome.host is not None


def named(outcome: Outcome, style: LogStyle) -> str:
    """The address as other lines about it have it."""
    return _who(outcome, outcome.log_word or outcome.address, style)


def _drivers(outcome: Outcome) -> str:
    router = f" R={outcome.router}" if outcome.router else ""
    return f"{router} T={outcome.transport}" if outcome.transport else router


def _how(outcome: Outcome, style: LogStyle) -> str:
    line, security = _drivers(outcome), outcome.security
    if outcome.size and style.shows("delivery_size"):
        line += f" S={outcome.size}"
    if outcome.host is not None:
        port = _port(outcome.host, style)
        line += f" H={_shown_host(outcome.host, style)}{port}{'*' if outcome.is_reused else ''}"
        if security.proxy[0] and style.shows("proxy"):
            line += f" PRX=[{security.proxy[0]}]{f':{security.proxy[1]}' if port else ''}"
        line += _own_end(outcome, style)
    elif isinstance(outcome, Delivered) and outcome.host_list:
        line += f" H={printable(outcome.host_list)}"
    return line if security is CLEAR else line + _secured(security, style)


def _secured(security: Security, style: LogStyle) -> str:
    line = ""
    if security.cipher and style.shows("tls_cipher"):
        line += f" X={security.cipher}"
    if security.certificate and style.shows("tls_certificate_verified"):
        line += f" CV={security.certificate}"
    if security.peer_name and style.shows("tls_peerdn"):
        line += f' DN="{_quoted(security.peer_name)}"'
    if security.authenticator:
        line += f" A={security.authenticator}"
        if security.auth_sender and ":" in security.authenticator and style.shows("smtp_mailauth"):
            line += f":{printable(security.auth_sender)}"
    return line


def _why_deferred(outcome: Deferred, style: LogStyle) -> str:
    """What a host said or did stands behind its name; what the operating system said of it, in brackets."""
    text, took = printable(outcome.reason.log), _took(outcome, style)
    if outcome.host is None or outcome.error in UNPLACED:
        return f"{took}: {text}"
    if outcome.error in NOT_CONNECTED or not (outcome.error or outcome.reply):
        return f" ({text}){_both_ends(outcome.reached, outcome, style) if outcome.reached else ''}{took}"
    return f"{_both_ends(outcome.host, outcome, style)}{took}: {text}"


def _both_ends(host: RemoteHost, outcome: Outcome, style: LogStyle) -> str:
    return f" H={_shown_host(host, style)}{_port(host, style)}{_own_end(outcome, style)}"


def _shown_host(host: RemoteHost, style: LogStyle) -> str:
    """As `remote_host`, and whether DNSSEC vouches for it where that is wanted."""
    if host.is_secure and style.shows("dnssec"):
        return f"{printable(host.name)} DS [{host.address}]"
    return remote_host(host)


def _port(host: RemoteHost, style: LogStyle) -> str:
    return f":{host.port}" if style.shows("outgoing_port") else ""


def _own_end(outcome: Outcome, style: LogStyle) -> str:
    address, port = outcome.interface
    if not (address and style.shows("incoming_interface") and style.shows("outgoing_interface")):
        return ""
    return f" I=[{address}]:{port}" if style.shows("outgoing_port") else f" I=[{address}]"


def remote_host(host: RemoteHost) -> str:
    """`name [address]`."""
    return f"{printable(host.name)} [{host.address}]"


def line_recipient_trouble(message_id: str, host: RemoteHost, text: str, style: LogStyle = USUAL) -> str:
    """A host has deferred a recipient, and there is another host."""
    return f"{message_id} H={remote_host(host)}{_port(host, style)} {printable(text)}"


def line_host_trouble(
    message_id: str, host: RemoteHost, text: str, error: str = "", style: LogStyle = USUAL
) -> str:
    """One host of several could not be used; the `==` line comes when none could. `error` as in Deferred."""
    colon = "" if error in NOT_CONNECTED else ":"
    return f"{message_id} H={remote_host(host)}{_port(host, style)}{colon} {printable(text)}"


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
