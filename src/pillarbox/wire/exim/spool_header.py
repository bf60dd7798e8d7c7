"""The -H file: envelope, progress and headers of a waiting message (Exim chapter 57.1; checked against Exim 4.100).

Exim and its `exipick` read what we write, and we read what Exim wrote. What Exim has no line for (attempts, next time, BODY …)
stands in one line of ours, `-pillarbox {json}`, which it passes over. A value can never begin a new line: addresses with a newline
are refused, in other values it is made visible, and ACL variables carry their length.

Known gaps: DNSSEC items are not kept. For how a message came see `reception_items`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.progress import Progress, Replacement
from pillarbox.mail.reception import NOTHING
from pillarbox.wire.exim.header_lines import decode_headers, encode_headers
from pillarbox.wire.exim.nonrecipients import decode_tree, encode_tree
from pillarbox.wire.exim.reception_items import read_reception, reception_items
from pillarbox.wire.exim.recipient_line import (
    RecipientLine,
    address_bytes,
    decode_recipient,
    encode_recipient,
)

_OWNER = re.compile(rb"(.*) (-?\d{1,10}) (-?\d{1,10})", re.DOTALL)
_TIMES = re.compile(rb"(\d{1,12}) (\d{1,9})")
_ITEM = re.compile(rb"--?(?:\([^)]*\))?([A-Za-z0-9_]+) ?(.*)", re.DOTALL)
_ACL_ITEM = re.compile(rb"(\S+) (\d{1,9})")
_ACL_NAME = re.compile(r"acl_[cm][0-9A-Za-z_]+")
_HOST_PORT = re.compile(r"\[(.+)\](?::(\d{1,5}))?")
_PROTOCOL = re.compile(r"local(-\w+)?|(utf8)?e?(smtp|ssmtp|lmtp|bsmtp)s?a?|smtps")
"""Those that we give; another one was said on a command line."""
_OLD_HOST_PORT = re.compile(r"(.+)\.(\d{1,5})")
_RET = {"FULL": b"1", "HDRS": b"2"}
_RET_NAMES = {"1": "FULL", "2": "HDRS"}
_DOWNCONVERSION = {"1": b"utf8_downcvt", "-1": b"utf8_optdowncvt"}


_RANKS = {
    name: rank
    for rank, name in enumerate(
        b"""helo_name host_address host_name host_auth host_auth_pubname interface_address active_hostname ident received_protocol
        aclc aclm body_linecount max_received_linelength body_zerocount auth_id auth_sender
        allow_unqualified_recipient allow_unqualified_sender deliver_firsttime frozen N host_lookup_deferred host_lookup_failed
        local localerror manual_thaw sender_set_untrusted spam_bar spam_score spam_score_int spool_file_wireformat
        tls_certificate_verified tls_cipher tls_peercert tls_peerdn tls_sni tls_resumption tls_ver
        smtputf8 utf8_downcvt utf8_optdowncvt dsn_envid dsn_ret pillarbox""".split()
    )
}


class SpoolFormatError(Exception):
    """A spool file is not what it should be. `str()` names the file and, where it can, the line."""


class SpoolHeader(msgspec.Struct, frozen=True, kw_only=True):
    """All that a -H file says."""

    envelope: Envelope
    progress: Progress
    headers: bytes
    body_lines: int = 0
    body_zeros: int = 0
    """Bytes of the body that are 0."""
    is_wire_format: bool = False
    """The -D file has CRLF line ends (Exim's spool_wireformat)."""


class Owner(msgspec.Struct, frozen=True, gc=False):
    """Whom the second line names when a message came by the network: our own user."""

    login: str
    uid: int
    gid: int


class Extras(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What Exim has no line for."""

    attempts: int = 0
    last_attempt_at: float = 0.0
    next_at: float = 0.0
    caller_uid: int = -1
    caller_gid: int = -1
    body_type: str = ""


_extras_decoder = msgspec.json.Decoder(Extras)


def check_encodable(envelope: Envelope) -> None:
    """Raises ValueError when an address or a name would break the file's lines."""
    addresses = envelope.sender or ""
    for recipient in envelope.recipients:
        addresses += recipient.address + recipient.orcpt
    if "\n" in addresses or "\0" in addresses:
        raise ValueError("newline or NUL in an address")
    for name, _ in envelope.acl_variables:
        if not _ACL_NAME.fullmatch(name):
            raise ValueError(f"not an ACL variable: {name!r}")


def encode_header(header: SpoolHeader, owner: Owner) -> bytes:
    """The whole file. Raises ValueError for an address with a newline or NUL."""
    envelope, progress = header.envelope, header.progress
    recipients = _recipient_lines(envelope, progress)
    return b"".join(
        (
            *_first_lines(envelope, progress, owner),
            *_in_order((*_origin_items(envelope), *_acl_items(envelope), *_status_items(header))),
            encode_tree(address_bytes(address) for address in progress.settled),
            b"%d\n" % len(recipients),
            *recipients,
            b"\n",
            encode_headers(header.headers, envelope.reception.replaced if envelope.reception else ()),
        )
    )


def _in_order(items: Iterable[bytes]) -> list[bytes]:
    """As Exim writes them: people compare spools."""
    return sorted(items, key=lambda item: _RANKS.get(item.split(None, 1)[0].lstrip(b"-"), len(_RANKS)))


def _recipient_lines(envelope: Envelope, progress: Progress) -> list[bytes]:
    lines = [encode_recipient(recipient) for recipient in envelope.recipients]
    if not progress.added:
        return lines
    numbers = {recipient.address: number for number, recipient in enumerate(envelope.recipients)}
    for number, address in enumerate(progress.added, len(lines)):
        numbers.setdefault(address, number)
    replacements = {one.address: one for one in progress.replacements}
    for address in progress.added:
        one = replacements.get(address)
        if one is None:
            lines.append(encode_recipient(Recipient(address)))
        else:
            number = numbers.get(one.recipient, 0)
            lines.append(encode_recipient(Recipient(address), number, one.errors_to or ""))
    return lines


def _first_lines(envelope: Envelope, progress: Progress, owner: Owner) -> Iterator[bytes]:
    origin = envelope.origin
    is_local = origin.caller_uid >= 0
    login = (origin.caller_login or origin.ident or owner.login) if is_local else owner.login
    uid, gid = (origin.caller_uid, max(origin.caller_gid, 0)) if is_local else (owner.uid, owner.gid)
    microseconds = round(envelope.received_at * 1e6)
    yield b"%b-H\n" % envelope.id.encode("ascii")
    yield b"%b %d %d\n" % (_one_line(login), uid, gid)
    yield b"<%b>\n" % address_bytes(envelope.sender or "")
    yield b"%d %d\n" % (microseconds // 1_000_000, progress.warnings)
    yield b"-received_time_usec .%06d\n" % (microseconds % 1_000_000)


def _origin_items(envelope: Envelope) -> Iterator[bytes]:
    """Two dashes: the text comes from outside. A local caller's login name does not, what a command line says of a host does."""
    origin, mechanism = envelope.origin, (envelope.reception or NOTHING).mechanism
    given = b"--" if origin.caller_uid >= 0 else b"-"
    yield from _item(b"--helo_name", origin.helo)
    if origin.host_address:
        yield from _item(given + b"host_address", f"[{origin.host_address}]:{origin.host_port}")
        yield from _item(b"--host_name", origin.host_name)
    yield from _item(b"-host_auth" if mechanism else given + b"host_auth", origin.authenticator)
    yield from _item(b"-host_auth_pubname", mechanism)
    if origin.interface_address:
        yield from _item(
            given + b"interface_address", f"[{origin.interface_address}]:{origin.interface_port}"
        )
    yield from _item(b"-ident" if _is_ident_known(origin) else b"--ident", origin.ident)
    is_ours = _PROTOCOL.fullmatch(origin.protocol)
    yield from _item(b"-received_protocol" if is_ours else given + b"received_protocol", origin.protocol)


def _is_ident_known(origin: Origin) -> bool:
    """The ident is what we know of a local caller, or what we asked a client's machine for (RFC 1413), not what a caller says (`-oMt`)."""
    return origin.caller_uid < 0 or origin.caller_login in ("", origin.ident)


def _login_items(envelope: Envelope) -> Iterator[bytes]:
    origin, mechanism = envelope.origin, (envelope.reception or NOTHING).mechanism
    is_local = origin.caller_uid >= 0 and not mechanism
    login = origin.caller_login or origin.ident
    is_own = is_local and origin.authenticated_id == login
    yield from _item(b"-auth_id" if is_own else b"--auth_id", origin.authenticated_id)
    is_own = is_local and envelope.auth_sender.startswith(f"{login}@")
    yield from _item(b"-auth_sender" if is_own else b"--auth_sender", envelope.auth_sender)


def _acl_items(envelope: Envelope) -> Iterator[bytes]:
    """Those of the connection first."""
    for name, value in sorted(envelope.acl_variables, key=lambda item: item[0][4]):
        kind, rest = name[:5], name[5:]
        data = value.encode("utf-8", "surrogateescape")
        dashes = b"--" if name in envelope.tainted_variables else b"-"
        yield b"%bacl%b %b %d\n%b\n" % (dashes, kind[4:].encode(), rest.encode(), len(data), data)


def _status_items(header: SpoolHeader) -> Iterator[bytes]:
    envelope, progress = header.envelope, header.progress
    origin = envelope.origin
    yield b"-body_linecount %d\n" % header.body_lines
    if header.body_zeros:
        yield b"-body_zerocount %d\n" % header.body_zeros
    yield from _login_items(envelope)
    if not progress.attempts:
        yield b"-deliver_firsttime\n"
    if progress.frozen_at is not None:
        yield b"-frozen %d\n" % progress.frozen_at
    if envelope.is_dry:
        yield b"-N\n"
    if progress.thawed_by_hand:
        yield b"-manual_thaw\n"
    yield from _item(b"-tls_cipher", origin.tls_cipher)
    yield from _item(b"--tls_sni", origin.tls_sni)
    if header.is_wire_format:
        yield b"-spool_file_wireformat\n"
    if envelope.smtputf8:
        yield b"-smtputf8\n"
    if envelope.utf8_downconvert in _DOWNCONVERSION:
        yield b"-%b\n" % _DOWNCONVERSION[envelope.utf8_downconvert]
    for name, value in reception_items(envelope):
        yield b"%b %b\n" % (name, _one_line(value)) if value else b"%b\n" % name
    yield from _item(b"-dsn_envid", envelope.envid)
    if envelope.ret in _RET:
        yield b"-dsn_ret %b\n" % _RET[envelope.ret]
    extras = Extras(
        attempts=progress.attempts,
        last_attempt_at=progress.last_attempt_at,
        next_at=progress.next_at,
        caller_uid=envelope.origin.caller_uid,
        caller_gid=envelope.origin.caller_gid,
        body_type=envelope.body_type,
    )
    yield b"-pillarbox %b\n" % msgspec.json.encode(extras)


def _item(name: bytes, value: str) -> Iterator[bytes]:
    if value:
        yield b"%b %b\n" % (name, _one_line(value))


def _one_line(value: str) -> bytes:
    return value.replace("\n", "\\n").replace("\0", "\\0").encode("utf-8", "surrogateescape")


def decode_header(data: bytes, name: str) -> SpoolHeader:
    """Read a -H file. `name`: what to call it in errors. Raises SpoolFormatError."""
    reader = _Reader(data)
    try:
        return _decode(reader)
    except (ValueError, msgspec.DecodeError) as error:
        raise SpoolFormatError(f"{name}:{reader.line}: {error}") from None


class _Reader:
    """Lines of the part before the blank line, counted for error messages."""

    __slots__ = ("data", "line", "position")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0
        self.line = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        end = self.data.find(b"\n", self.position)
        self.line += 1
        if end < 0:
            raise ValueError("the file ends too early")
        line = self.data[self.position : end]
        self.position = end + 1
        return line

    def take(self, length: int) -> bytes:
        """`length` bytes and the newline behind them."""
        taken = self.data[self.position : self.position + length]
        self.position += length + 1
        if len(taken) != length or self.data[self.position - 1 : self.position] != b"\n":
            raise ValueError("a value has another length than announced")
        self.line += taken.count(b"\n") + 1
        return taken

    def items_follow(self) -> bool:
        return self.data[self.position : self.position + 1] == b"-"


def _decode(reader: _Reader) -> SpoolHeader:
    message_id = _expect_name(next(reader))
    owner = _OWNER.fullmatch(next(reader))
    sender = next(reader)
    if sender[:1] != b"<" or sender[-1:] != b">" or len(sender) < 2:
        raise ValueError("the sender's address in angle brackets was expected")
    times = _TIMES.fullmatch(next(reader))
    if not owner or not times:
        raise ValueError("numbers were expected")
    items, acl_variables, tainted_variables = _read_items(reader)
    settled = frozenset(_text(address) for address in decode_tree(reader))
    lines = _read_recipients(reader)
    headers, replaced = decode_headers(reader.data[reader.position :])
    extras = _extras_decoder.decode(items["pillarbox"]) if "pillarbox" in items else None
    if extras is None:
        is_local = "local" in items and "host_address" not in items
        extras = (
            Extras(caller_uid=int(owner.group(2)), caller_gid=int(owner.group(3))) if is_local else Extras()
        )
    envelope = Envelope(
        id=message_id,
        sender=_text(sender[1:-1]) or None,
        recipients=tuple(line.recipient for line in lines if line.parent < 0),
        origin=_origin(items, extras, _text(owner.group(1))),
        received_at=int(times.group(1)) + _fraction(items.get("received_time_usec", "")),
        body_type=extras.body_type,
        smtputf8="smtputf8" in items,
        ret=_RET_NAMES.get(items.get("dsn_ret", ""), ""),
        envid=items.get("dsn_envid", ""),
        auth_sender=items.get("auth_sender", ""),
        acl_variables=acl_variables,
        tainted_variables=tainted_variables,
        is_dry="N" in items,
        utf8_downconvert=_downconversion(items),
        reception=read_reception(items, replaced),
    )
    return SpoolHeader(
        envelope=envelope,
        progress=_progress(items, extras, settled, int(times.group(2)), _replacements(lines)),
        headers=headers,
        body_lines=_count(items, "body_linecount"),
        body_zeros=_count(items, "body_zerocount"),
        is_wire_format="spool_file_wireformat" in items,
    )


def _downconversion(items: dict[str, str]) -> str:
    """`utf8_downconvert` of the envelope: 0, like nothing, is not written, as with Exim."""
    if "utf8_downcvt" in items:
        return "1"
    return "-1" if "utf8_optdowncvt" in items else ""


def _expect_name(line: bytes) -> str:
    if line[-2:] != b"-H" or not line.isascii():
        raise ValueError("the first line is not the file's name")
    return line[:-2].decode("ascii")


def _read_items(
    reader: _Reader,
) -> tuple[dict[str, str], tuple[tuple[str, str], ...], tuple[str, ...]]:
    items: dict[str, str] = {}
    acl_variables: list[tuple[str, str]] = []
    tainted: list[str] = []
    while reader.items_follow():
        item = _ITEM.fullmatch(next(reader))
        if not item:
            raise ValueError("not a flag line")
        name, value = item.group(1).decode("ascii"), item.group(2)
        if name in ("aclc", "aclm"):
            acl = _ACL_ITEM.fullmatch(value)
            if not acl:
                raise ValueError("an ACL variable's name and length were expected")
            text = _text(reader.take(int(acl.group(2))))
            variable = f"acl_{name[3]}{_text(acl.group(1))}"
            acl_variables.append((variable, text))
            if item.group().startswith(b"--"):
                tainted.append(variable)
        elif name == "acl":
            variable, text = _old_variable(value, reader)
            acl_variables.append((variable, text))
        else:
            items[name] = _text(value)
    return items, tuple(acl_variables), tuple(tainted)


def _old_variable(value: bytes, reader: _Reader) -> tuple[str, str]:
    """`-acl 12 3`, of an Exim before 4.64: ten variables of the connection, then ten of the message."""
    item = _ACL_ITEM.fullmatch(value)
    if item is None or not item.group(1).isdigit():
        raise ValueError("an ACL variable's number and length were expected")
    number = int(item.group(1))
    name = f"acl_c{number}" if number < 10 else f"acl_m{number - 10}"
    return name, _text(reader.take(int(item.group(2))))


def _replacements(lines: tuple[RecipientLine, ...]) -> tuple[Replacement, ...]:
    return tuple(
        Replacement(
            line.recipient.address,
            lines[min(line.parent, len(lines) - 1)].recipient.address,
            line.errors_to or None,
        )
        for line in lines
        if line.parent >= 0
    )


def _read_recipients(reader: _Reader) -> tuple[RecipientLine, ...]:
    count = next(reader)
    if not count.isdigit() or len(count) > 8:
        raise ValueError("the number of recipients was expected")
    recipients = tuple(decode_recipient(next(reader)) for _ in range(int(count)))
    if next(reader):
        raise ValueError("a blank line was expected behind the recipients")
    return recipients


def _origin(items: dict[str, str], extras: Extras, login: str) -> Origin:
    ident = items.get("ident", "")
    host_address, host_port = _host_port(items.get("host_address", ""))
    interface_address, interface_port = _host_port(items.get("interface_address", ""))
    return Origin(
        protocol=items.get("received_protocol", ""),
        host_address=host_address,
        host_port=host_port,
        host_name=items.get("host_name", ""),
        helo=items.get("helo_name", ""),
        interface_address=interface_address,
        interface_port=interface_port,
        authenticated_id=items.get("auth_id", ""),
        authenticator=items.get("host_auth", ""),
        tls_cipher=items.get("tls_cipher", ""),
        tls_sni=items.get("tls_sni", ""),
        tls_verified="tls_certificate_verified" in items,
        tls_peer_name=items.get("tls_peerdn", ""),
        ident=ident,
        caller_uid=extras.caller_uid,
        caller_gid=extras.caller_gid,
        caller_login=login if extras.caller_uid >= 0 and login != ident else "",
    )


def _progress(
    items: dict[str, str],
    extras: Extras,
    settled: frozenset[str],
    warnings: int,
    replacements: tuple[Replacement, ...],
) -> Progress:
    has_been_tried = "deliver_firsttime" not in items
    return Progress(
        settled=settled,
        added=tuple(one.address for one in replacements),
        replacements=replacements,
        frozen_at=float(_count(items, "frozen")) if "frozen" in items else None,
        thawed_by_hand="manual_thaw" in items,
        warnings=warnings,
        attempts=max(extras.attempts, int(has_been_tried)),
        last_attempt_at=extras.last_attempt_at,
        next_at=extras.next_at,
    )


def _host_port(value: str) -> tuple[str, int]:
    found = _HOST_PORT.fullmatch(value) or _OLD_HOST_PORT.fullmatch(value)
    return (found.group(1), int(found.group(2) or 0)) if found else (value, 0)


def _fraction(value: str) -> float:
    digits = value.removeprefix(".")
    return (
        int(digits) / 10 ** len(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0.0
    )


def _count(items: dict[str, str], name: str) -> int:
    value = items.get(name, "0")
    if not (value.isascii() and value.isdigit() and len(value) < 16):
        raise ValueError(f"a number was expected behind -{name}")
    return int(value)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
