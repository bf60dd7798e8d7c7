"""Lines of the main log about deliveries, `=>`, `**` and `==`, and about hosts (Exim 53.7 to 53.11; checked against 4.100).

The items stand in Exim's order; the style says which of them are wanted.
"""

from __future__ import annotations

from pillarbox.mail.address import split_address, unquote_local_part
from pillarbox.mail.outcome import CLEAR, Deferred, Delivered, Failed, Outcome, RemoteHost, Security
from pillarbox.wire.exim.log_line import printable, quoted, shown_address
from pillarbox.wire.exim.log_style import USUAL, LogStyle, show_elapsed

NOT_CONNECTED = frozenset(
    {"refused", "timeout_connect", "unreachable", "net_unreachable", "not_our_address", "busy", "event"}
)
"""Errors whose text is the operating system's, or our own configuration's."""
UNPLACED = frozenset({"auth_failed", "dane", "event_close"})
"""Errors that the line of an address tells without the host."""
_MOST_OF_SIGNERS = 128
_BEFORE_ROUTING = frozenset({"queued", "retry_time"})
"""`queue_domains`, and domains whose retry time has not come: not even routed."""
_NOWHERE = frozenset({":blackhole:", "discarded"})


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
            if style.is_default or outcome.log_word in _NOWHERE:  # none of the rest is in the usual selection
                return _line_delivered(message_id, outcome, flag, style, where)
            about = f"{_from(sender, style)}{_return_path(outcome, style)}{where}"
            dsn = _dsn_word(outcome) if has_dsn else ""
            line = _line_delivered(message_id, outcome, flag, style, about, dsn)
            if style.shows("queue_time"):
                line += f" QT={show_elapsed(age, style)}"
            return line + _took(outcome, style)
        case Failed():
            about = f"{_from(sender, style)}{_return_path(outcome, style)}{where}"
            who = f"{_who(outcome, outcome.log_word or _unquoted(outcome), style)}{about}"
            dsn = f" DSN={_dsn_word(outcome)}" if has_dsn and outcome.transport else ""
            why = f"{_how(outcome, style)}{dsn} : {printable(outcome.reason.log)}"
            return f"{message_id} ** {who}{why}{_took(outcome, style)}"
        case Deferred():
            who = f"{_who(outcome, outcome.log_word or _unquoted(outcome), style)}{where}{_drivers(outcome)}"
            if outcome.error == "retry_time" and not outcome.router:
                return f"{message_id} == {who} routing defer{_took(outcome, style)}: retry time not reached"
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
    return f" F=<{shown_address(sender or '')}>" if style.shows("sender_on_delivery") else ""


def _return_path(outcome: Outcome, style: LogStyle) -> str:
    if outcome.return_path is None or not style.shows("return_path_on_delivery"):
        return ""
    return f" P=<{shown_address(outcome.return_path)}>"


def _took(outcome: Outcome, style: LogStyle) -> str:
    return f" DT={show_elapsed(outcome.elapsed, style)}" if style.shows("deliver_time") else ""


def _line_delivered(
    message_id: str, outcome: Delivered, flag: str, style: LogStyle, about: str, dsn: str = ""
) -> str:
    address = outcome.address
    word = outcome.log_word or (
        unquote_local_part(split_address(address)[0]).lower()
        if outcome.host is None and outcome.path and not outcome.shows_domain
        else _unquoted(outcome)
    )
    line = f"{message_id} {flag} {_who(outcome, word, style)}{about}{_how(outcome, style)}"
    if dsn:
        line += f" DSN={dsn}"
    line += _startup(outcome, style)
    if outcome.pipelining and style.shows("pipelining"):
        line += f" {outcome.pipelining}"
    if outcome.is_prdr:
        line += " PRDR"
    if outcome.chunking:
        line += " K"
    if outcome.signers and style.shows("dkim_verbose"):
        line += f" DKIM={printable(outcome.signers[:_MOST_OF_SIGNERS])}"
    if outcome.reply is not None and style.shows("smtp_confirmation"):
        said = printable(outcome.reply.as_said).replace("\\", "\\\\").replace('"', '\\"')
        line += f' C="{said}"'
    if outcome.shadow:
        line += f" ST={printable(outcome.shadow)}"
    return line


def _unquoted(outcome: Outcome) -> str:
    """The address as routers have it."""
    address = outcome.address
    if address[:1] != '"':
        return address
    local, domain = split_address(address)
    return f"{unquote_local_part(local)}@{domain}"


def _who(outcome: Outcome, word: str, style: LogStyle) -> str:
    """`word <recipient>`, as far as they differ; all parents between when the style asks for them, the nearest of files, pipes and
    answers."""
    if word == outcome.recipient or (_differs_in_domain(word, outcome) and not outcome.parents):
        return shown_address(word)
    if word in _NOWHERE:
        return f"{word} <{shown_address(outcome.address)}>"
    parents = ""
    if outcome.parents:
        count = None if style.shows("all_parents") else 1 if _is_place(word) else 0
        shown = outcome.parents[:count]
        parents = f" ({', '.join(map(shown_address, shown))})" if shown else ""
    return f"{shown_address(word)}{parents} <{shown_address(outcome.recipient)}>"


def _differs_in_domain(word: str, outcome: Outcome) -> bool:
    """By the case of its letters alone, which is not worth telling."""
    local, _, domain = outcome.recipient.rpartition("@")
    return word == f"{local}@{domain.lower()}" and outcome.host is not None


def named(outcome: Outcome, style: LogStyle) -> str:
    """The address as lines have it that are about no attempt: an address stands there as it is in the envelope."""
    word = outcome.log_word
    return _who(outcome, word if _is_place(word) else outcome.address, style)


def _is_place(word: str) -> bool:
    """A file, a pipe or an answer, not an address."""
    return word[:1] in ("/", "|", ">") or word.startswith("save ")


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
        if isinstance(outcome, Failed):
            line += _startup(outcome, style)
    elif isinstance(outcome, Delivered) and outcome.host_list:
        line += f" H={printable(outcome.host_list)}"
    return line if security is CLEAR else line + _secured(security, style)


def _startup(outcome: Outcome, style: LogStyle) -> str:
    return f" PS={outcome.startup}" if outcome.startup and style.shows("protocol_detail") else ""


def _secured(security: Security, style: LogStyle) -> str:
    line = ""
    if security.cipher and style.shows("tls_cipher"):
        line += f" X={security.cipher}"
    if security.certificate and style.shows("tls_certificate_verified"):
        line += f" CV={security.certificate}"
    if security.peer_name and style.shows("tls_peerdn"):
        line += f' DN="{quoted(security.peer_name)}"'
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
    again = "*" if outcome.is_reused else ""
    return f" H={_shown_host(host, style)}{_port(host, style)}{again}{_own_end(outcome, style)}"


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
