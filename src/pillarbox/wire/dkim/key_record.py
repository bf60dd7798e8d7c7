"""What the DNS says of a key (RFC 6376 §3.6.1): TXT of SELECTOR._domainkey.DOMAIN."""

from __future__ import annotations

import re

import msgspec

_TAG = re.compile(r"\s*([a-zA-Z])\s*=([^;]*)(?:;|$)")

_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    public: str
    """The key in base64."""
    digests: tuple[str, ...] = ()
    """Those that may be used with it; empty: all."""
    service: str = "*"
    granularity: str = "*"
    notes: str = ""
    is_for_testing: bool = False
    is_for_domain_alone: bool = False
    """Not for subdomains in `i=`."""


def read_key_record(text: str) -> KeyRecord | None:
    """None: it is none, or not for mail."""
    tags = {found[1]: "".join(found[2].split(" ")).strip() for found in _TAG.finditer(text)}
    if tags.get("v", "DKIM1") != "DKIM1" or tags.get("s", "*") not in ("*", "email"):
        return None
    if not _BASE64.fullmatch(tags.get("p", "-")):
        return None
    flags = tags.get("t", "").split(":")
    return KeyRecord(
        public=tags["p"],
        digests=tuple(filter(None, tags.get("h", "").split(":"))),
        service=tags.get("s", "*"),
        granularity=tags.get("g", "*"),
        notes=_notes(text),
        is_for_testing="y" in flags,
        is_for_domain_alone="s" in flags,
    )


def _notes(text: str) -> str:
    """The only value in which spaces count."""
    return next((found[2].strip() for found in _TAG.finditer(text) if found[1] == "n"), "")
