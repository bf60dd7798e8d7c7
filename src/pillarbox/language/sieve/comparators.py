"""Comparators (RFC 4790): how two strings are looked at. Octets, not characters: `?` is one octet, as in Exim.

`i;ascii-casemap` is Exim's `en;ascii-casemap`. `i;ascii-numeric` knows equality alone; what is no number equals what is no number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pillarbox.language.sieve.registry import capability

_DIGITS = b"0123456789"


class Comparator(NamedTuple):
    """`prepare` turns both sides into what is compared octet by octet. `needs`: the capability."""

    shown: str
    prepare: Callable[[bytes], bytes]
    has_substrings: bool = True
    needs: str = ""


def _as_number(value: bytes) -> bytes:
    digits = value[: len(value) - len(value.lstrip(_DIGITS))]
    return (digits.lstrip(b"0") or b"0") if digits else b""


_CASEMAP = Comparator("en;ascii-casemap", bytes.lower)
COMPARATORS = {
    "i;octet": Comparator("i;octet", bytes),
    "i;ascii-casemap": _CASEMAP,
    "en;ascii-casemap": _CASEMAP,
    "i;ascii-numeric": Comparator(
        "i;ascii-numeric", _as_number, has_substrings=False, needs="comparator-i;ascii-numeric"
    ),
}
DEFAULT = _CASEMAP

for _name, _comparator in COMPARATORS.items():
    capability(f"comparator-{_name}", is_announced=bool(_comparator.needs))
