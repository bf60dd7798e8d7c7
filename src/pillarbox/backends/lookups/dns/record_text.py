"""One DNS record as the text that dnsdb gives (Exim 9.10)."""

from __future__ import annotations

from pillarbox.backends.lookups.dns.query import DnsQuery
from pillarbox.ports.dns import Record


def record_text(query: DnsQuery, record: Record) -> str:
    match query.kind:
        case "mx":
            return _fields(query, str(record.preference), record.data)
        case "srv":
            return _fields(query, *map(str, (record.preference, record.weight, record.port)), record.data)
        case "tlsa":
            return _fields(query, *record.data.split(" "))
        case "soa":
            return _soa(query, record)
        case "txt":
            return _strings(query, record, first_only=query.field_separator is None)
        case "spf":
            return _strings(query, record, first_only=False)
        case _:
            return record.data


def _fields(query: DnsQuery, *fields: str) -> str:
    """Without a separator they cannot be told apart: a NUL stands between them, which ends the whole answer."""
    separator = " " if query.field_separator is None else query.field_separator or "\0"
    return separator.join(fields)


def _soa(query: DnsQuery, record: Record) -> str:
    fields = record.data.split(" ")
    return _fields(query, *fields) if query.field_separator is not None else fields[0]


def _strings(query: DnsQuery, record: Record, *, first_only: bool) -> str:
    strings = record.strings or (record.raw,)
    joined = strings[0] if first_only else (query.field_separator or "").encode("utf-8").join(strings)
    return joined.decode("utf-8", "surrogateescape")
