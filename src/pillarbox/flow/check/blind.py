"""`verify = not_blind`: does every envelope recipient stand in To: or Cc:? (Exim 44.17.)"""

from __future__ import annotations

from collections.abc import Iterable

from pillarbox.language.addresses import AddressError, address_items, working_address
from pillarbox.mail import header

SHOWN_IN = ("to", "cc", "resent-to", "resent-cc")


def blind_recipient(block: bytes, recipients: Iterable[str], *, ignores_case: bool) -> str | None:
    """The first that is not there; None when all are. Domains are compared without case, local parts only if `ignores_case`."""
    shown = set()
    for name in SHOWN_IN:
        for value in header.iterate(block, name):
            for item in address_items(value.decode("utf-8", "surrogateescape")):
                try:
                    shown.add(_compared(working_address(item.text).address, ignores_case=ignores_case))
                except AddressError:
                    continue
    return next(
        (each for each in recipients if _compared(each, ignores_case=ignores_case) not in shown), None
    )


def _compared(address: str, *, ignores_case: bool) -> str:
    local_part, at, domain = address.rpartition("@")
    return f"{local_part.lower() if ignores_case else local_part}{at}{domain.lower()}"
