"""The `personal` condition: mail to this user by a person, not by a list or a robot (filter.txt 3.29)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pillarbox.language.addresses import AddressError, address_items, working_address
from pillarbox.mail.header import Header, parse_headers, unfold

_LIST_FIELDS = frozenset(
    {"list-id", "list-help", "list-subscribe", "list-unsubscribe", "list-post", "list-owner", "list-archive"}
)
_ROBOT = re.compile(
    r"(?:server|daemon|root|listserv|majordomo)@|.*-request@|owner-[^@]+@", re.IGNORECASE | re.DOTALL
)
_UNIMPORTANT = ("bulk", "list", "junk")


def is_personal(
    headers: bytes, own_addresses: tuple[str, ...], recipients_in: tuple[str, ...] = ("to",)
) -> bool:
    """`own_addresses`: the user's and the aliases, one of which must be in a header of `recipients_in`.

    That it is no bounce is asked elsewhere."""
    fields = parse_headers(headers)
    if any(field.name.lower() in _LIST_FIELDS for field in fields):
        return False
    if any(value.strip().lower() != "no" for value in _values(fields, "auto-submitted")):
        return False
    if any(word in value.lower() for value in _values(fields, "precedence") for word in _UNIMPORTANT):
        return False
    own = frozenset(address.lower() for address in own_addresses)
    if not any(address.lower() in own for name in recipients_in for address in _addresses(fields, name)):
        return False
    return not any(address.lower() in own or _ROBOT.match(address) for address in _addresses(fields, "from"))


def _values(fields: tuple[Header, ...], name: str) -> Iterator[str]:
    for field in fields:
        if field.name.lower() == name:
            yield unfold(field.raw.partition(b":")[2]).decode("utf-8", "surrogateescape")


def _addresses(fields: tuple[Header, ...], name: str) -> Iterator[str]:
    """Up to the first that is malformed, as Exim has it: a group is."""
    for value in _values(fields, name):
        for item in address_items(value, opens_groups=False):
            try:
                yield working_address(item.text).address
            except AddressError:
                break
