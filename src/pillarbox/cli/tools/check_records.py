"""What checks keep between connections, as Exim's tools show it: rates, what was seen, answers of callouts (Exim 54.11).

They are rows of one file here, `db/records.sqlite`; a data base of which there is no row does not exist yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec

from pillarbox.backends.hints.records import SqliteRecords
from pillarbox.cli.tools.hints_files import NoHints, missing, stamp
from pillarbox.flow.check import rate
from pillarbox.flow.check.callout_cache import DomainRecord
from pillarbox.ports.hint_records import Database, HintRecord, RecordsBusy

KINDS = ("callout", "ratelimit", "seen")


def records_of(spool: Path, name: str) -> list[tuple[str, HintRecord]]:
    """By key. Raises NoHints."""
    path = spool / "db" / "records.sqlite"
    if not path.exists():
        raise missing(spool, name)
    try:
        found = list(SqliteRecords(path).all(cast(Database, name)))
    except RecordsBusy as busy:
        raise NoHints(f"** Failed to read {path}: {busy}") from None
    if not found:
        raise missing(spool, name)
    return found


def shown(name: str, key: str, record: HintRecord, *, in_utc: bool) -> str:
    """One line, as `exim_dumpdb` has it."""
    at = stamp(record.at, in_utc=in_utc)
    match name:
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
    SqliteRecords(spool / "db" / "records.sqlite").forget(cast(Database, name), old)
    return old
