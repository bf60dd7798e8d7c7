"""The message that `-bem` loads: as if it had been submitted here, though it never goes anywhere."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from pillarbox.app.asking.own import OwnLogin, OwnSender
from pillarbox.config.model import Config
from pillarbox.flow.accept.local.origin import split_port
from pillarbox.flow.facets.delivering import ArrivalFacts
from pillarbox.flow.facets.session import SessionFacts
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.settings import Identity
from pillarbox.language.addresses import AddressError, address_items, working_address
from pillarbox.mail import header
from pillarbox.mail.envelope import Origin
from pillarbox.mail.message import Message

MAX_MESSAGE = 512 * 1024 * 1024
_SEPARATOR = re.compile(
    rb"From\s+(\S+)\s+(?:[a-zA-Z]{3},?\s+)?(?:[a-zA-Z]{3}\s+\d?\d|\d?\d\s+[a-zA-Z]{3}\s+\d\d(?:\d\d)?)\s+\d\d?:\d\d?"
)
"""What `uucp_from_pattern` says unless it is set."""


class Test(msgspec.Struct, frozen=True):
    """What expansions see, and what the caller is told first."""

    facets: dict[type, object]
    remarks: tuple[str, ...] = ()
    return_path: str | None = None
    """What the message's Return-path: field says."""


def without_message(sender: str | None, config: Config) -> Test:
    """For `-be`: only the caller is known. `sender`: what `-f` gave."""
    origin = _caller(is_sender=sender is None)
    own = f"{origin.ident}@{config.main(Identity).sender_domain}"
    facts = MessageFacts(sender=_bare(sender) if sender is not None else own)
    facts.size = 0
    facts.auth_sender = own if sender is None else ""
    facets: dict[type, object] = {
        Origin: origin,
        MessageFacts: facts,
        ArrivalFacts: _arrival(),
        OwnLogin: OwnLogin(origin.ident),
    }
    return Test(facets if sender is not None else {**facets, OwnSender: OwnSender(origin.ident, own)})


def as_told(test: Test, about: Mapping[str, str]) -> Test:
    """As if it came from where the caller says (`-oM…`, by its letters): in a test everybody is believed."""
    origin, facts = test.facets[Origin], test.facets[MessageFacts]
    assert isinstance(origin, Origin) and isinstance(facts, MessageFacts)
    address, port = split_port(about.get("a", ""))
    interface, interface_port = split_port(about.get("i", ""))
    told = {
        "protocol": about.get("r"),
        "host_address": address or None,
        "host_port": port or None,
        "host_name": about.get("s"),
        "interface_address": interface or None,
        "interface_port": interface_port if interface else None,
        "authenticator": about.get("aa"),
        "authenticated_id": about.get("ai"),
        "ident": about.get("t"),
    }
    changes = {name: value for name, value in told.items() if value is not None}
    facts.auth_sender = about.get("as", facts.auth_sender)
    facets = {**test.facets, Origin: msgspec.structs.replace(origin, **changes)}
    if "t" in about:
        facets.pop(OwnLogin, None)
    if "ai" in about or "as" in about:
        facets.pop(OwnSender, None)
    return msgspec.structs.replace(test, facets=facets)


def load_message(file: str, sender: str | None, config: Config, *, extracts: bool = False) -> Test:
    """For `-bem`; `extracts`: recipients are those of the headers (`-t`). Raises OSError."""
    with Path(file).open("rb") as opened:
        data = opened.read(MAX_MESSAGE)
    test = read_message(data, sender, config)
    if extracts:
        facts = test.facets[MessageFacts]
        assert isinstance(facts, MessageFacts)
        found = _header_recipients(facts.message, config.main(Identity).recipient_domain)
        facts.recipients_count = len(found)
        arrival = test.facets[ArrivalFacts]
        assert isinstance(arrival, ArrivalFacts)
        test.facets[ArrivalFacts] = msgspec.structs.replace(arrival, recipients=found)
    return test


def read_message(data: bytes, sender: str | None, config: Config) -> Test:
    """A message with whatever line ends, perhaps from a mailbox file."""
    data = data.replace(b"\r\n", b"\n")
    from pillarbox.wire.exim.message_id import MessageIds

    remarks = []
    taken = None
    if separator := _SEPARATOR.match(data):
        data = data.partition(b"\n")[2]
        if sender is None:
            taken = separator.group(1).decode("utf-8", "surrogateescape")
            remarks.append('Sender taken from "From " line')
    message = Message.parse(_before_dot(data))
    if not message.headers:
        remarks.append("Warning: no message headers read")
    origin = _caller(is_sender=sender is None)
    identity = config.main(Identity)
    now = time.time()
    facts = MessageFacts(MessageIds(time.time, run=0).new(), None, now)
    own = f"{origin.ident}@{identity.sender_domain}"
    facts.sender = _bare(sender) if sender is not None else taken or own
    facts.auth_sender = own if sender is None else ""
    return_path = header.first(message.headers, "Return-Path")
    if return_path is not None:
        remarks.append('Return-path taken from "Return-path:" header line')
    facts.size = message.size
    shown = f"{origin.ident} <{own}>" if sender is None and taken is None else facts.sender or ""
    facts.message = _repaired(message, facts, shown, identity.primary_hostname)
    bare = None if return_path is None else _bare(return_path.decode("utf-8", "surrogateescape")) or ""
    longest = max(map(len, data.split(b"\n")), default=0)
    facets: dict[type, object] = {
        Origin: origin,
        MessageFacts: facts,
        ArrivalFacts: _arrival(),
        OwnLogin: OwnLogin(origin.ident),
        SessionFacts: SessionFacts(max_received_linelength=longest),
    }
    if facts.sender == own and sender is None:
        facets[OwnSender] = OwnSender(origin.ident, own)
    return Test(facets, tuple(remarks), bare)


def _header_recipients(message: Message | None, domain: str) -> tuple[str, ...]:
    """What stands in To:, Cc: and Bcc: and is an address."""
    found: dict[str, None] = {}
    for name in ("to", "cc", "bcc"):
        for value in header.iterate(message.headers, name) if message is not None else ():
            for item in address_items(value.decode("utf-8", "surrogateescape")):
                with contextlib.suppress(AddressError):
                    working = working_address(item.text.strip())
                    found[working.address if working.domain_at else f"{working.address}@{domain}"] = None
    return tuple(found)


def _caller(*, is_sender: bool) -> Origin:
    login = _login()
    return Origin(
        protocol="",
        ident=login,
        authenticated_id=login if is_sender else "",
        caller_uid=os.getuid(),
        caller_gid=os.getgid(),
    )


def _arrival() -> ArrivalFacts:
    return ArrivalFacts(originator_uid=os.getuid(), originator_gid=os.getgid())


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid{os.getuid()}"


def _bare(sender: str) -> str | None:
    """`<a@b>` and `a@b` → a@b; the null sender → None."""
    return sender.strip().removeprefix("<").removesuffix(">") or None


def _before_dot(data: bytes) -> bytes:
    """A line with a single dot ends a message that is typed."""
    if data.startswith(b".\n"):
        return b""
    end = data.find(b"\n.\n")
    return data[: end + 1] if end >= 0 else data


def _repaired(message: Message, facts: MessageFacts, shown: str, hostname: str) -> Message:
    from pillarbox.flow.accept.finish.repairs import remove_delivery_fields
    from pillarbox.flow.accept.finish.submission import add_missing

    headers = remove_delivery_fields(message.headers)
    return Message(add_missing(headers, shown, f"E{facts.id}@{hostname}", facts.received_at), message.body)
