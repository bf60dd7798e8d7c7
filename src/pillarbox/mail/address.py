"""Mail addresses as text: `local-part@domain`.

Addresses travel through Pillarbox as `str` in the form the envelope had them, without angle brackets. Exim's rules: the
domain is compared without regard to case, the local part with regard to it unless a router says otherwise (Exim 15.1, `caseful_local_part`).
The null sender `<>` is `None` in types, never an empty string.
"""

from __future__ import annotations

import re

_ATOM = r"[^\x00-\x20\x22(),.:-<>@\[-\]\x7f]+"
_NEEDS_NO_QUOTES = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTING = re.compile(r'"|\\(.)', re.DOTALL)


def split_address(address: str) -> tuple[str, str]:
    """Split at the last `@`: `("local-part", "domain")`; the domain is empty when there is none."""
    local, at, domain = address.rpartition("@")
    return (local, domain) if at else (address, "")


def unquote_local_part(local_part: str) -> str:
    """`"a b"` → `a b` (RFC 5321 §4.1.2 Quoted-string), `a."b c"` → `a.b c` and `\\a` → `a` (RFC 5322 §4.4); others as they are."""
    if '"' not in local_part and "\\" not in local_part:
        return local_part
    return _QUOTING.sub(r"\1", local_part)


def quote_local_part(local_part: str) -> str:
    """The inverse of `unquote_local_part`: quotes only where RFC 5321 needs them."""
    if _NEEDS_NO_QUOTES.fullmatch(local_part):
        return local_part
    return '"' + local_part.replace("\\", "\\\\").replace('"', '\\"') + '"'
