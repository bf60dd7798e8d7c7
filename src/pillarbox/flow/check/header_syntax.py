"""`verify = header_syntax`: do the address headers hold addresses? (Exim 44.17; RFC 5322 §3.4, obsolete forms tolerated.)

Read as Exim reads them: an address list piece by piece, and what is wrong with the first bad one in its words.
"""

from __future__ import annotations

import re

from pillarbox.language.addresses import EMPTY, AddressError, address_items, working_address
from pillarbox.mail.header import parse_headers

ADDRESS_HEADERS = frozenset({"from", "sender", "reply-to", "to", "cc", "bcc"})
SENDER_HEADERS = frozenset({"from", "sender", "reply-to"})
MAX_SENDERS = 20
MAX_CHECKED = 64 * 1024
"""Bytes of one header that are looked at."""
UNQUALIFIED = "unqualified address not permitted"
_ONE = (
    r"""(?:(?:"[^"\\\r\n]*" ?|[\w.'+=-][\w .'+=-]*)?<[^<>\s@,;:"()\\]+@[\w-]+(?:\.[\w-]+)*>"""
    r"""|[^<>\s@,;:"()\\]+@[\w-]+(?:\.[\w-]+)*)"""
)
_PLAIN = re.compile(rf" *{_ONE}(?: *, *{_ONE})* *")
"""What nearly every header looks like: the full parser costs fifty times as much."""


def first_bad_address_header(block: bytes, *, takes_literals: bool = True) -> str | None:
    """What is wrong with the first header that is not well formed; None when all are. `takes_literals`: `allow_domain_literals`."""
    for header in parse_headers(block):
        if header.name.lower() not in ADDRESS_HEADERS:
            continue
        if _PLAIN.fullmatch(header.value[:MAX_CHECKED].decode("utf-8", "surrogateescape")):
            continue
        value = header.raw.partition(b":")[2][:MAX_CHECKED].decode("utf-8", "surrogateescape")
        if problem := _problem(value, takes_literals=takes_literals):
            why, text = problem
            return f'{why}: failing address in "{header.name}:" header is: {text}'
    return None


def sender_addresses(block: bytes) -> list[str]:
    """The addresses of Sender:, Reply-To: and From:, in this order, at most MAX_SENDERS; malformed ones are left out."""
    found: list[str] = []
    for header in parse_headers(block):
        if header.name.lower() not in SENDER_HEADERS:
            continue
        value = header.value[:MAX_CHECKED].decode("utf-8", "surrogateescape")
        for item in address_items(value):
            try:
                found.append(working_address(item.text).address)
            except AddressError:
                continue
    return found[:MAX_SENDERS]


def _problem(value: str, *, takes_literals: bool) -> tuple[str, str] | None:
    """(what is wrong, with which piece). `value`: still folded, for the line ends belong to what is quoted."""
    for item in address_items(value):
        text = item.text.strip()
        if not text:
            continue
        try:
            found = working_address(item.text.lstrip(), takes_literals=takes_literals)
        except AddressError as error:
            if str(error) == EMPTY:
                continue
            return str(error), text
        if not found.domain_at:
            return UNQUALIFIED, text
    return None
