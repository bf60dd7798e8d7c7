"""What checks keep between connections, as Exim's tools show it: rates, what was seen, answers of callouts (Exim 54.11).

They are rows of one file here, `db/records.sqlite`; a data base of which there is no row does not exist yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from pillarbox.backends.hints.records import SqliteRecords
from pillarbox.cli.tools.hints_files import NoHints, existing, missing, stamp
from pillarbox.flow.check import rate
from pillarbox.flow.check.callout_cache import DomainRecord
from pillarbox.flow.transport.attempt.early import read_kept
from pillarbox.flow.transport.waiting import database_of
from pillarbox.ports.hint_records import HintRecord, RecordsBusy
from pillarbox.wire.smtp.extensions import Extensions

KINDS = ("callout", "misc", "ratelimit", "seen")
_WAITING = database_of("")
RECORDS = "records.sqlite"
"""The file that holds them."""


def is_kept(name: str) -> bool:
    """Whether it is one of ours."""
    return name in KINDS or name.startswith(_WAITING)


def records_of(spool: Path, name: str) -> list[tuple[str, HintRecord]]:
    """By key. Raises NoHints."""
    path = existing(spool, name, RECORDS)
    try:
        found = list(SqliteRecords(path).all(name))
    except RecordsBusy as busy:
        raise NoHints(f"** Failed to read {path}: {busy}") from None
    if not found:
        raise missing(spool, name)
    return [(key, record) for key, record in found if record.text] if name.startswith(_WAITING) else found


def shown(name: str, key: str, record: HintRecord, *, in_utc: bool) -> str:
    """One line, as `exim_dumpdb` has it."""
    at = stamp(record.at, in_utc=in_utc)
    match name:
        case _ if name.startswith(_WAITING):
            return f"{key} {record.text} "
        case "misc":
            return f"{at} {key}\n{_offered(key, record)}"
        case "ratelimit":
            return _rate(key, record, at, in_utc=in_utc)
        case "callout":
            return f"{at} {key} {' '.join(_callout(key, record, at))}"
        case _:
            return f"{key}\t{at}"


def _rate(key: str, record: HintRecord, at: str, *, in_utc: bool) -> str:
    measure = rate.read(record) or rate.Measure(0.0)
    unique = ""
    if "/unique/" in key:
        unique = f"epoch: {stamp(measure.since, in_utc=in_utc)} size: {len(measure.events)} "
    return f"{at}.{int(record.at % 1 * 1e6):06d} rate: {measure.rate:10.3f} {unique}key: {key}"


def _offered(key: str, record: HintRecord) -> str:
    """What a host has offered, as Exim's bits: in clear and within TLS, with our authenticators; its limits."""
    kept = read_kept(record)
    known = dict(kept.crypted.limits or kept.clear.limits)
    limits = "/".join(f"{known.get(name, 0):05d}" for name in ("MAILMAX", "RCPTMAX", "RCPTDOMAINMAX"))
    clear = f"{_bits(kept.clear):04x}/{kept.clear_auth:04x}"
    crypted = f"{_bits(kept.crypted):04x}/{kept.crypted_auth:04x}"
    return f"helo/ehlo {key.removesuffix('.EHLO')} clr {clear} cry {crypted} lim {limits}"


def _bits(offered: Extensions) -> int:
    flags = (
        (0x01, offered.starttls),
        (0x04, offered.prdr),
        (0x08, offered.smtputf8),
        (0x10, offered.dsn),
        (0x20, offered.pipelining),
        (0x40, offered.size is not None),
        (0x80, offered.chunking),
        (0x100, offered.pipeconnect),
    )
    return sum(bit for bit, is_there in flags if is_there)


def _callout(key: str, record: HintRecord, at: str) -> Iterator[str]:
    """A domain's record says more than an address's."""
    if "@" in key:
        yield f"callout={record.text or 'unknown'}"
        return
    try:
        domain = msgspec.json.decode(record.text, type=DomainRecord)
    except msgspec.DecodeError:
        domain = DomainRecord()
    yield f"callout={_WORDS.get(domain.result, domain.result)}"
    for name, word in (("postmaster", domain.postmaster), ("random", domain.random)):
        yield f"{name}={word} ({at})" if word else f"{name}=unknown"


_WORDS = {"": "unknown", "reject_null": "reject_mfnull"}


def tidy(spool: Path, name: str, older_than: float) -> list[str]:
    """The keys that were removed. Raises NoHints."""
    old = [key for key, record in records_of(spool, name) if record.at < older_than]
    SqliteRecords(spool / "db" / "records.sqlite").forget(name, old)
    return old
