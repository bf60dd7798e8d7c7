"""Lines of Exim's mainlog, without their time stamp (Exim chapter 53, with the default log_selector; checked against 4.100).

`eximstats` and `exigrep` read these. Text that comes from others is made printable, so a line stays one line.

Known gaps: no `CV=` on `<=` lines, no `DN=`, `PRDR`, `DS` items (nothing tells them yet); `K` on `<=` lines is not known.
"""

from __future__ import annotations

import re

from pillarbox.mail.address import split_address
from pillarbox.mail.envelope import Envelope, Origin
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import Deferred, Delivered, Failed, Outcome, RemoteHost

_MESSAGE_ID = re.compile(
    rb'^message-id[ \t]*:[ \t]*(?:\n[ \t]+)?(?:<([^<>\s"]{1,512})>|([^<>()\s"@]{1,256}@[^<>()\s"]{1,256}))',
    re.IGNORECASE | re.MULTILINE,
)
_NOT_CONNECTED = frozenset({"refused", "timeout_connect", "unreachable"})
"""Errors whose text is the operating system's."""
_UNPRINTABLE = re.compile(r"[^ -~]")
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


def line_received(envelope: Envelope, message: Message, *, reference: str = "") -> str:
    """`<=`: a message has come. `reference`: id of the message that a bounce is about (`R=`)."""
    origin = envelope.origin
    parts = [f"{envelope.id} <= {printable(envelope.sender) if envelope.sender else '<>'}"]
    if reference:
        parts.append(f"R={reference}")
    if origin.host_address:
        parts.append(f"H={sending_host(origin)}")
    if origin.ident:
        parts.append(f"U={printable(origin.ident)}")
    parts.append(f"P={origin.protocol}")
    if origin.tls_cipher:
        parts.append(f"X={origin.tls_cipher}")
    if origin.authenticator:
        login = origin.authenticated_id
        parts.append(f"A={origin.authenticator}:{printable(login)}" if login else f"A={origin.authenticator}")
    parts.append(f"S={message.size}")
    found = _MESSAGE_ID.search(message.headers)
    if found:
        parts.append(f"id={printable(found.group(found.lastindex or 0).decode('utf-8', 'surrogateescape'))}")
    return " ".join(parts)


def sending_host(origin: Origin) -> str:
    """`name (helo) [address]`: Exim's $sender_fullhost without the port."""
    address, name, helo = origin.host_address, origin.host_name, origin.helo
    if name and (helo.lower() == name.lower() or helo == f"[{address}]"):
        helo = ""
    shown = f"{printable(name)} " if name else ""
    return f"{shown}({printable(helo)}) [{address}]" if helo else f"{shown}[{address}]"


def line_outcome(message_id: str, outcome: Outcome, *, is_additional: bool = False) -> str:
    """`=>`, `**` or `==`; `->` for a further address that went with the same transaction (also told by `is_additional`)."""
    match outcome:
        case Delivered():
            return _line_delivered(
                message_id, outcome, "->" if is_additional or outcome.is_additional else "=>"
            )
        case Failed():
            return f"{message_id} ** {_who(outcome, outcome.address)}{_how(outcome)} : {printable(outcome.reason.log)}"
        case Deferred():
            return f"{message_id} == {_who(outcome, outcome.address)}{_drivers(outcome)} defer{_why_deferred(outcome)}"
        case _:
            raise TypeError("an outcome is Delivered, Deferred or Failed")


def _line_delivered(message_id: str, outcome: Delivered, flag: str) -> str:
    address = outcome.address
    word = outcome.log_word or (
        split_address(address)[0] if outcome.host is None and outcome.path else address
    )
    line = f"{message_id} {flag} {_who(outcome, word)}{_how(outcome)}"
    if outcome.chunking:
        line += " K"
    if outcome.reply is not None:
        said = printable(str(outcome.reply)).replace('"', '\\"')
        line += f' C="{said}"'
    return line


def _who(outcome: Outcome, word: str) -> str:
    """`word (nearest parent) <recipient>`, as far as they differ."""
    if word == outcome.recipient:
        return printable(word)
    parent = f" ({printable(outcome.parents[0])})" if outcome.parents else ""
    return f"{printable(word)}{parent} <{printable(outcome.recipient)}>"


def _drivers(outcome: Outcome) -> str:
    router = f" R={outcome.router}" if outcome.router else ""
    return f"{router} T={outcome.transport}" if outcome.transport else router


def _how(outcome: Outcome) -> str:
    line = _drivers(outcome)
    if outcome.host is not None:
        line += f" H={remote_host(outcome.host)}{'*' if outcome.is_reused else ''}"
    if outcome.tls_cipher:
        line += f" X={outcome.tls_cipher}"
    if outcome.certificate:
        line += f" CV={outcome.certificate}"
    if outcome.authenticator:
        line += f" A={outcome.authenticator}"
    return line


def _why_deferred(outcome: Deferred) -> str:
    """What a host said or did stands behind its name; what the operating system said of it, in brackets."""
    text = printable(outcome.reason.log)
    if outcome.host is None or outcome.error == "auth_failed":
        return f": {text}"
    if outcome.error in _NOT_CONNECTED or not (outcome.error or outcome.reply):
        return f" ({text})"
    return f" H={remote_host(outcome.host)}: {text}"


def remote_host(host: RemoteHost) -> str:
    """`name [address]`."""
    return f"{printable(host.name)} [{host.address}]"


def line_host_trouble(message_id: str, host: RemoteHost, text: str, error: str = "") -> str:
    """One host of several could not be used; the `==` line comes when none could. `error` as in Deferred."""
    colon = "" if error in _NOT_CONNECTED else ":"
    return f"{message_id} H={remote_host(host)}{colon} {printable(text)}"


def line_completed(message_id: str) -> str:
    return f"{message_id} Completed"


def line_frozen(message_id: str, by: str = "") -> str:
    """`Frozen` by ourselves, `frozen by root` by somebody's command."""
    return f"{message_id} frozen by {printable(by)}" if by else f"{message_id} Frozen"


def line_unfrozen(message_id: str, by: str = "") -> str:
    """`Unfrozen by forced delivery`, `unfrozen by root`."""
    return f"{message_id} unfrozen by {printable(by)}" if by else f"{message_id} Unfrozen by forced delivery"


def line_removed(message_id: str, by: str) -> str:
    return f"{message_id} removed by {printable(by)}"
