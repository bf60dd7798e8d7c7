"""A DNS in memory: `ports.dns.Resolver` (and its HostTable) from a small zone text.

    example.org.      MX   10 mx.example.org
    mx.example.org    A    192.0.2.1
    www.example.org   CNAME example.org
    example.org   300 TXT  "v=spf1 -all"        a TTL may stand in front of the type
    null.example      MX   0 .
    broken.example    SERVFAIL                  every question about it, or: broken.example SERVFAIL MX
    dead.example      SILENT                    a server that never answers
    sure.example      SECURE                    its answers have AD set
    own.example       AUTHORITY                 answers about it and names below have AA set

Names below a name in the zone make that name exist (no data); anything else is NXDOMAIN. `dns_server` serves the same text.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from pillarbox.ports.dns import Answer, Record, RecordType

_COMMENT = re.compile(r'^((?:[^;"]|"[^"]*")*);.*')
"""A semicolon between quotation marks begins none."""
_TYPES = {"A", "AAAA", "MX", "TXT", "PTR", "CNAME", "NS", "SOA", "SRV", "TLSA", "SPF"}
DEFAULT_TTL = 300


@dataclass
class ZoneRecord:
    kind: str
    text: str
    """Data in presentation form."""
    ttl: int


@dataclass
class Zone:
    """What the text says: `records` by name, and the names with a special fate."""

    records: dict[str, list[ZoneRecord]] = field(default_factory=dict)
    failing: dict[str, set[str]] = field(default_factory=dict)
    silent: dict[str, set[str]] = field(default_factory=dict)
    secure: set[str] = field(default_factory=set)
    authorities: set[str] = field(default_factory=set)

    @classmethod
    def parse(cls, text: str) -> Zone:
        zone = cls()
        for line in text.splitlines():
            stripped = _COMMENT.sub(r"\1", line).strip()
            if stripped:
                zone.add(stripped)
        return zone

    def add(self, line: str) -> None:
        name, *rest = line.split(None, 1)
        name, words = name.lower().rstrip("."), rest[0].split()
        ttl = int(words.pop(0)) if words[0].isdecimal() else DEFAULT_TTL
        kind, kinds = words[0].upper(), {word.upper() for word in words[1:]} or _TYPES
        match kind:
            case "SERVFAIL":
                self.failing.setdefault(name, set()).update(kinds)
            case "SILENT":
                self.silent.setdefault(name, set()).update(kinds)
            case "SECURE":
                self.secure.add(name)
            case "AUTHORITY":
                self.authorities.add(name)
            case _ if kind in _TYPES:
                data = rest[0].split(kind if kind in rest[0] else words[0], 1)[1].strip()
                self.records.setdefault(name, []).append(ZoneRecord(kind, data, ttl))
            case _:
                raise ValueError(f"zone line not understood: {line}")

    def exists(self, name: str) -> bool:
        return name in self.records or any(known.endswith(f".{name}") for known in self.records)

    def authority(self, name: str) -> str:
        """Which of our zones the name is in; empty: none."""
        found = (zone for zone in self.authorities if name == zone or name.endswith(f".{zone}"))
        return max(found, key=len, default="")

    def of_kind(self, name: str, kind: str) -> list[ZoneRecord]:
        return [record for record in self.records.get(name, []) if record.kind == kind]


class FakeDns:
    """`queries` lists what was asked, in order."""

    def __init__(self, text: str = "", hosts: dict[str, tuple[str, ...]] | None = None) -> None:
        self.zone = Zone.parse(text)
        self.hosts = hosts or {}
        self.queries: list[tuple[str, str]] = []

    def search_list(self) -> tuple[str, ...]:
        return ()

    async def query(self, name: str, kind: RecordType) -> Answer:
        return self.answer(name, kind)

    def addresses(self, name: str) -> tuple[str, ...]:
        return self.hosts.get(name.lower(), ())

    def full_name(self, name: str) -> str:
        return name.lower() if name.lower() in self.hosts else ""

    def answer(self, name: str, kind: RecordType) -> Answer:
        self.queries.append((name, kind))
        asked = current = name.lower().rstrip(".")
        for _ in range(10):
            if kind in self.zone.failing.get(current, ()):
                return Answer("again", detail=f"{kind} of {current}: fake said SERVFAIL")
            if kind in self.zone.silent.get(current, ()):
                return Answer("again", detail=f"{kind} of {current}: fake timed out")
            found = self.zone.of_kind(current, kind)
            if found:
                records = tuple(_record(each) for each in found)
                canonical = current if current != asked else ""
                ttl = float(min(each.ttl for each in found))
                is_secure, authority = asked in self.zone.secure, self.zone.authority(asked)
                return Answer("found", records, canonical, ttl, is_secure, authority=authority)
            aliases = self.zone.of_kind(current, "CNAME")
            if not aliases:
                return Answer("no_data" if self.zone.exists(current) else "no_name")
            current = aliases[0].text.lower().rstrip(".")
        return Answer("again", detail=f"CNAME chain of {asked} is too long")


def _record(record: ZoneRecord) -> Record:
    words = record.text.split()
    match record.kind:
        case "MX":
            return Record(_name(words[1]), preference=int(words[0]))
        case "SRV":
            return Record(_name(words[3]), int(words[0]), int(words[1]), int(words[2]))
        case "TXT" | "SPF":
            strings = tuple(each.encode() for each in shlex.split(record.text))
            raw = b"".join(strings)
            return Record(
                raw.decode("utf-8", "replace"), raw=raw, strings=strings if len(strings) > 1 else ()
            )
        case "TLSA":
            return Record(record.text, raw=bytes.fromhex(words[3]))
        case "PTR" | "CNAME" | "NS":
            return Record(_name(record.text))
        case _:
            return Record(record.text)


def _name(text: str) -> str:
    return text.lower().rstrip(".")
