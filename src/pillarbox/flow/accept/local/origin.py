"""Where a message of a program on this machine comes from: the caller, or what a trusted one says (Exim 5: `-f`, `-oM…`)."""

from __future__ import annotations

import re

from pillarbox.flow.accept.local.caller import Caller
from pillarbox.flow.accept.local.refused import Refused
from pillarbox.flow.accept.paths import stripped
from pillarbox.flow.accept.policy import AcceptPolicy
from pillarbox.language.addresses import AddressError, working_address
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Origin
from pillarbox.wire.control import Submit

BATCH = "local-bsmtp"
"""`$received_protocol` of what came by `-bS`."""
_BRACKETED = re.compile(r"\[([^]]*)\]:(\d{1,5})")
_DOTTED = re.compile(r"(\d+\.\d+\.\d+\.\d+|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*?)\.(\d{1,5})")


def is_batch(wish: Submit) -> bool:
    """It came by `-bS`."""
    return wish.about.get("r") == BATCH


def origin_of(wish: Submit, caller: Caller) -> Origin:
    """Where it comes from: the caller, or what a trusted one says (`-oM…`)."""
    about = wish.about if caller.is_trusted else {}
    if is_batch(wish) and not caller.is_trusted:
        about = {"r": BATCH, "helo": wish.about.get("helo", "")}
    address, port = split_port(about.get("a", ""))
    interface, interface_port = split_port(about.get("i", ""))
    ident = about.get("t", caller.login)
    return Origin(
        protocol=about.get("r", "local"),
        host_address=address,
        host_port=port,
        host_name=about.get("s", "") if address else "",
        helo=about.get("helo", ""),
        interface_address=interface,
        interface_port=interface_port,
        authenticator=about.get("aa", ""),
        authenticated_id=about.get("ai", "" if chooses_sender(wish, caller) else caller.login),
        ident=ident,
        caller_uid=caller.uid,
        caller_gid=caller.gid,
        caller_login=caller.login if ident != caller.login else "",
    )


def auth_sender(wish: Submit, caller: Caller, own_address: str) -> str:
    """Who vouches for the message: what a trusted caller says (`-oMas`), or the caller, who is the sender."""
    told = wish.about.get("as", "") if caller.is_trusted else ""
    if told:
        return told
    return "" if chooses_sender(wish, caller) or is_batch(wish) else own_address


def chooses_sender(wish: Submit, caller: Caller) -> bool:
    """`-f` of a trusted caller: the caller's name and login have nothing to do with it."""
    return wish.sender is not None and caller.is_trusted


def split_port(text: str) -> tuple[str, int]:
    """`10.9.8.7.1234` and `[10.9.8.7]:1234`: address and port, 0 without one (Exim 5, -oMa)."""
    found = _BRACKETED.fullmatch(text) or _DOTTED.fullmatch(text)
    return (found[1], int(found[2])) if found else (text.strip("[]"), 0)


async def sender_of(
    wish: Submit, caller: Caller, policy: AcceptPolicy, own_address: str, scope: Scope
) -> str | None:
    if wish.sender is None:
        return own_address
    if wish.sender in ("", "<>") and (caller.is_trusted or not is_batch(wish)):
        return None
    may_be_set = policy.local_senders.may_be_set
    if not caller.is_trusted and may_be_set is None:
        return own_address
    try:
        found = working_address(stripped(wish.sender, policy.habits.paths), utf8_domain=True)
    except AddressError as error:
        raise Refused(f'exim: bad -f address "{wish.sender}": {error}') from error
    sender = found.address if found.domain_at else f"{found.address}@{policy.qualify_domain}"
    if caller.is_trusted or may_be_set is None or await may_be_set.matches(sender, scope):
        return sender
    return own_address
