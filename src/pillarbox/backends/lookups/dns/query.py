"""A dnsdb query taken apart (Exim 9.10): separators, modifiers, type, names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address

import msgspec

from pillarbox.backends.lookups.servers.listing import WHITE, split_list
from pillarbox.ports.lookups import LookupDefer

KINDS = frozenset(
    ("a", "a+", "aaaa", "cname", "csa", "mx", "mxh", "ns", "ptr", "soa", "spf", "srv", "tlsa", "txt", "zns")
)
_REVERSED = frozenset(("ptr", "csa"))
"""Types for which an address stands for its name in the reverse tree."""
_CHOICES = {"defer_": ("strict", "lax", "never"), "dnssec_": ("strict", "lax", "never")}
_TIME = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", re.IGNORECASE | re.ASCII)
_UNITS = (604_800, 86_400, 3_600, 60, 1)
DEFAULT_RETRANS, DEFAULT_RETRY = 5.0, 2
MOST_PATIENCE = 300.0


class DnsQuery(msgspec.Struct, frozen=True):
    kind: str
    """In lower case."""
    listed: str
    """The names, in Exim's list syntax."""
    separator: str = "\n"
    """Between records."""
    field_separator: str | None = None
    """Between the fields or strings of a record; empty: nothing between them; None: as the type has it."""
    defer: str = "lax"
    dnssec: str = "lax"
    patience: float | None = None
    """Seconds for one question; None: what the resolver takes."""

    def names(self) -> Iterator[str]:
        """What to ask for, one by one."""
        if self.kind == "ptr" and _is_ipv6(self.listed):
            yield self._asked(self.listed)
            return
        for name in split_list(self.listed):
            yield self._asked(name)

    def _asked(self, name: str) -> str:
        return reverse_name(name) if self.kind in _REVERSED else name


def parse_query(text: str) -> DnsQuery:
    """Raises LookupDefer with Exim's texts."""
    separator, field_separator, text = _separators(text.lstrip(WHITE))
    defer, dnssec, retrans, retry = "lax", "lax", None, None
    while True:
        lower = text[:8].lower()
        if lower.startswith("defer_"):
            defer, text = _choice(text, "defer_", "unsupported dnsdb defer behaviour")
        elif lower.startswith("dnssec_"):
            dnssec, text = _choice(text, "dnssec_", "unsupported dnsdb dnssec behaviour")
        elif lower.startswith("retrans_"):
            retrans, text = _retrans(text[8:])
        elif lower.startswith("retry_"):
            retry, text = _retry(text[6:])
        else:
            break
    kind, equals, listed = text.partition("=")
    kind = kind.rstrip(WHITE).lower() if equals else "txt"
    if kind not in KINDS:
        raise LookupDefer("unsupported DNS record type")
    listed = (listed if equals else text).strip(WHITE)
    return DnsQuery(kind, listed, separator, field_separator, defer, dnssec, _patience(retrans, retry))


def _separators(text: str) -> tuple[str, str | None, str]:
    if not text.startswith(">") or len(text) < 2:
        return "\n", None, text
    separator, rest = text[1], text[2:]
    if rest.startswith(";"):
        return separator, "", rest[1:].lstrip(WHITE)
    if rest.startswith(",") and len(rest) > 1:
        return separator, rest[1], rest[2:].lstrip(WHITE)
    return separator, None, rest.lstrip(WHITE)


def _choice(text: str, prefix: str, complaint: str) -> tuple[str, str]:
    rest = text[len(prefix) :]
    for choice in _CHOICES[prefix]:
        if rest[: len(choice)].lower() == choice:
            return choice, _behind_comma(rest[len(choice) :])
    raise LookupDefer(complaint)


def _retrans(rest: str) -> tuple[float, str]:
    value, comma, behind = rest.partition(",")
    found = _TIME.fullmatch(value)
    seconds = sum(int(n or 0) * unit for n, unit in zip(found.groups(), _UNITS, strict=True)) if found else 0
    if not seconds:
        raise LookupDefer("unsupported dnsdb timeout value")
    return float(seconds), _behind_comma(comma + behind)


_NUMBER = re.compile(r"\s*([+-]?\d{0,9})", re.ASCII)


def _retry(rest: str) -> tuple[int, str]:
    found = _NUMBER.match(rest)
    digits = found.group(1) if found else ""
    count = int(digits) if digits.lstrip("+-") else 0
    if count < 0:
        raise LookupDefer("unsupported dnsdb retry count")
    return count, _behind_comma(rest[found.end() if found and digits else 0 :])


def _behind_comma(rest: str) -> str:
    rest = rest.lstrip(WHITE)
    if not rest.startswith(","):
        raise LookupDefer("dnsdb modifier syntax error")
    return rest[1:].lstrip(WHITE)


def _patience(retrans: float | None, retry: int | None) -> float | None:
    """Each try waits twice as long as the one before."""
    if retrans is None and retry is None:
        return None
    tries = max(1, DEFAULT_RETRY if retry is None else min(retry, 16))
    seconds = DEFAULT_RETRANS if retrans is None else retrans
    return min(MOST_PATIENCE, seconds * float(2**tries - 1))


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


def reverse_name(text: str) -> str:
    """`4.3.2.1.in-addr.arpa` for an address, anything else as it is (RFC 1035 §3.5, RFC 3596 §2.5)."""
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return text
    return address.reverse_pointer
