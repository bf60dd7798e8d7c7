"""DNS as mail needs it: typed answers, and three outcomes that must not be confused.

Found, "there is no such thing", and "cannot say now" lead to delivery, bounce and retry. Names are lower case ASCII
(A-labels) without the final dot.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

RecordType = Literal["A", "AAAA", "MX", "TXT", "PTR", "CNAME", "NS", "SOA", "SRV", "TLSA", "SPF"]


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record's data as text: `192.0.2.1` (A), `mail.example.org` (PTR, CNAME, NS), the joined strings (TXT)."""

    data: str
    preference: int = 0
    """MX preference; SRV priority."""
    weight: int = 0
    port: int = 0
    raw: bytes = b""
    """TXT: the joined strings as bytes; TLSA: association data behind its three numbers."""
    strings: tuple[bytes, ...] = ()
    """TXT, SPF: the strings one by one where there are several."""


class Answer(msgspec.Struct, frozen=True):
    """`status` tells what the empty `records` mean.

    found: at least one record. no_data: the name exists without this type. no_name: NXDOMAIN. again: time-out, SERVFAIL,
    no server: ask later.
    """

    status: Literal["found", "no_data", "no_name", "again"]
    records: tuple[Record, ...] = ()
    name: str = ""
    """The canonical name at the end of CNAMEs; empty: the one asked for."""
    ttl: float = 0.0
    is_secure: bool = False
    """AD was set by a resolver that the configuration trusts (a validating resolver on loopback), or `dns_trust_aa` has its zone."""
    detail: str = ""
    """For the log: server and reason, when status is `again`."""
    authority: str = ""
    """The zone of an authoritative answer, where the resolver is asked to keep that."""


class Resolver(Protocol):
    async def query(self, name: str, kind: RecordType) -> Answer:
        """Never raises: every trouble is an Answer. Cached by TTL; CNAMEs followed up to a bound."""
        ...


class HostTable(Protocol):
    """Names that this machine knows without the DNS: /etc/hosts."""

    def addresses(self, name: str) -> tuple[str, ...]:
        """Addresses of a host name, in any case and without final dot; empty when unknown. Quick (cached file)."""
        ...

    def full_name(self, name: str) -> str:
        """The first name on its line, in lower case; empty when unknown."""
        ...
