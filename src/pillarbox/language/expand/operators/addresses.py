"""Operators on mail addresses: `address`, `addresses`, `local_part`, `domain` (Exim 11.6)."""

from __future__ import annotations

from pillarbox.language.addresses import AddressError, Working, address_items, working_address
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.registry import operator


@operator("address")
def address(text: str) -> str:
    """The working part of an RFC 5322 address; empty when there is none."""
    found = _working(text)
    return found.address if found else ""


@operator("local_part")
def local_part(text: str) -> str:
    found = _working(text)
    if found is None:
        return ""
    return found.address[: found.domain_at - 1] if found.domain_at else found.address


@operator("domain")
def domain(text: str) -> str:
    found = _working(text)
    return found.address[found.domain_at :] if found and found.domain_at else ""


@operator("addresses")
def addresses(text: str) -> str:
    """The working parts of all addresses of a header line, as a list; `>x` in front chooses its separator."""
    separator, listed = ":", text.lstrip(" \t\n\r")
    if listed.startswith(">"):
        separator, listed = listed[1:2], listed[2:]
        if not separator:
            raise ExpansionFailed(f"output separator missing in expanding ${{addresses:>{listed}}}")
    found = [_working(item.text) for item in address_items(listed)]
    return separator.join(
        each.address.replace(separator, separator * 2) for each in found if each and each.address
    )


def _working(text: str) -> Working | None:
    try:
        return working_address(str(text), allow_null=True)
    except AddressError:
        return None
