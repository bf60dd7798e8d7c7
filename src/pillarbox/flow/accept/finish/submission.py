"""Submission mode: the headers that a mail program may have left out, and who the sender really is (Exim 48.1, 48.5; RFC 6409 §8).

Also used for messages that come from local programs.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from pillarbox.flow.accept.local.caller import Caller, LocalSenders
from pillarbox.language.addresses import AddressError, working_address
from pillarbox.language.expand.octets import octets
from pillarbox.language.rewrite.display_name import show_sender
from pillarbox.mail import header
from pillarbox.mail.address import quote_local_part
from pillarbox.mail.date import format_date

_RESENT = re.compile(rb"^resent-", re.IGNORECASE | re.MULTILINE)
_LOOKED_FOR = re.compile(rb"\n(resent-[!-9;-~]+|message-id|from|date)[ \t]*:", re.IGNORECASE)
"""Behind a newline put in front: a search for `^` would try each character."""
_WHOLE = {b"message-id", b"from", b"date"}


class Fixed(msgspec.Struct, frozen=True):
    headers: bytes
    sender: str | None
    """The envelope sender to use."""


class Options(msgspec.Struct, frozen=True):
    """`control = submission/…` taken apart."""

    sender_retain: bool = False
    domain: str | None = None
    """None: `qualify_domain`; empty: the authenticated id is a whole address."""
    name: str = ""

    @classmethod
    @lru_cache(maxsize=64)
    def parse(cls, text: str) -> Options:
        before, has_name, name = text.partition("name=")
        parts = [part.strip() for part in before.split("/") if part.strip()]
        domains = [part[7:] for part in parts if part.startswith("domain=")]
        return cls("sender_retain" in parts, domains[0] if domains else None, name if has_name else "")


def fix_up(
    block: bytes,
    options: str,
    *,
    sender: str | None,
    authenticated_id: str,
    qualify_domain: str,
    message_id: str,
    now: float,
    checks_from: bool = True,
) -> Fixed:
    """Add what is missing, and say who authenticated where From: says otherwise. The return path becomes the authenticated sender too,
    unless the message is a bounce; `sender_retain` leaves both alone, and so it is without `checks_from` (`local_from_check`), but that
    Sender: goes."""
    chosen = Options.parse(options)
    true_sender = _true_sender(chosen, authenticated_id, qualify_domain)
    shown = show_sender(chosen.name, true_sender) if true_sender else ""
    own = show_sender(chosen.name, sender) if sender else shown
    if chosen.sender_retain:
        return Fixed(add_missing(block, own, message_id, now), sender)
    prefix = "Resent-" if _RESENT.search(block) is not None else ""
    block = header.remove(block, frozenset({f"{prefix}sender".lower()}))
    if not true_sender or not checks_from:
        return Fixed(add_missing(block, own, message_id, now), sender)
    from_address = _last_address(block, f"{prefix}From", sender or true_sender)
    extra = f"{prefix}Sender: {shown}\n" if from_address.lower() != true_sender.lower() else ""
    block = add_missing(block, own, message_id, now, extra)
    return Fixed(block, true_sender if sender is not None else None)


def fix_local(
    block: bytes,
    caller: Caller,
    rules: LocalSenders,
    *,
    sender: str | None,
    qualify_domain: str,
    message_id: str,
    now: float,
    full_name: str = "",
) -> bytes:
    """A message of a program on this machine: what is missing is added; a caller who is not trusted and writes as somebody else is shown in
    Sender:, or Resent-Sender: where there are Resent- fields (Exim 48)."""
    own_address = f"{caller.login}@{qualify_domain}"
    if sender is None:
        shown = "" if caller.is_trusted else show_sender(full_name, own_address)
    else:
        shown = show_sender(full_name, sender)
    if caller.is_trusted or rules.keeps_sender:
        return add_missing(block, shown, message_id, now)
    prefix = "Resent-" if _RESENT.search(block) is not None else ""
    block = header.remove(block, frozenset({f"{prefix}sender".lower()}))
    extra = ""
    if rules.checks_from:
        written = _last_address(block, f"{prefix}From", sender or own_address)
        if not _is_own(written, caller.login, qualify_domain, rules):
            extra = f"{prefix}Sender: {show_sender(full_name, own_address)}\n"
    return add_missing(block, shown, message_id, now, extra)


def _last_address(block: bytes, name: str, otherwise: str) -> str:
    """Of the last field of this name, which counts where there are several; empty: it does not hold one address and nothing else."""
    values = list(header.iterate(block, name))
    if not values:
        return otherwise
    try:
        return working_address(values[-1].decode("utf-8", "replace")).address
    except AddressError:
        return ""


def complete_own_from(block: bytes, login: str, full_name: str, domain: str) -> bytes:
    """A From: that holds the login name and nothing else (Resent-From:, where there are Resent- fields) becomes name and address, at the end."""
    prefix = b"Resent-" if _RESENT.search(block) is not None else b""
    pattern = re.compile(rb"(?mi)^%bFrom[ \t]*:[ \t]*%b\n" % (prefix, re.escape(octets(login))))
    kept, count = pattern.subn(b"", block)
    address = f"{login}@{domain}"
    shown = show_sender(full_name, address) if full_name else f" <{address}>"
    return kept + count * (prefix + f"From: {shown}\n".encode("utf-8", "surrogateescape")) if count else block


def _is_own(address: str, login: str, qualify_domain: str, rules: LocalSenders) -> bool:
    """Compared without case, and without a prefix and a suffix of the local part that are allowed (Exim 14, local_from_prefix)."""
    local_part, _, domain = address.lower().rpartition("@")
    if domain != qualify_domain.lower():
        return False
    login = login.lower()
    starts = {local_part, *(_behind(local_part, prefix.lower()) for prefix in rules.prefixes)}
    return login in {
        end
        for start in starts
        for end in (start, *(_before(start, suffix.lower()) for suffix in rules.suffixes))
    }


def _behind(text: str, prefix: str) -> str:
    if prefix.startswith("*"):
        return text.partition(prefix[1:])[2] or text
    return text.removeprefix(prefix)


def _before(text: str, suffix: str) -> str:
    if suffix.endswith("*"):
        return text.rpartition(suffix[:-1])[0] or text
    return text.removesuffix(suffix)


def add_missing(block: bytes, sender: str, message_id: str, now: float, extra: str = "") -> bytes:
    """Message-ID:, From: (`sender`, unless empty) and Date: where they are missing, `extra` in front of the last; Bcc: is left alone."""
    names = {name.lower() for name in _LOOKED_FOR.findall(b"\n" + block)}
    if names == _WHOLE:
        return block + octets(extra) if extra else block
    prefix = "Resent-" if any(name.startswith(b"resent-") for name in names) else ""
    own = prefix.lower().encode()
    message_id_line = f"{prefix}Message-Id: <{message_id}>\n" if own + b"message-id" not in names else ""
    from_line = f"{prefix}From: {sender}\n" if own + b"from" not in names and sender else ""
    date_line = f"{prefix}Date: {format_date(now)}\n" if own + b"date" not in names else ""
    if prefix:  # those stand in front (RFC 5322 §3.6.6)
        return octets(date_line + message_id_line) + block + octets(from_line + extra)
    return block + octets(message_id_line + from_line + extra + date_line)


def _true_sender(options: Options, authenticated_id: str, qualify_domain: str) -> str:
    if not authenticated_id:
        return ""
    if options.domain == "" or (options.domain is None and "@" in authenticated_id):
        return authenticated_id
    return f"{quote_local_part(authenticated_id)}@{options.domain or qualify_domain}"
