"""What callouts have found out, kept for a while (Exim 44.22.2): of single addresses, and of whole domains.

Losing it costs a repeated callout. Keys are Exim's: the address, with `/<sender>` behind it when the sender was not empty, or the domain.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pillarbox.ports.hint_records import HintRecord, HintRecords, RecordsBusy

Word = Literal["", "accept", "reject"]


class Lifetimes(msgspec.Struct, frozen=True):
    """Seconds (`callout_…_expire`)."""

    positive: float = 86400.0
    negative: float = 7200.0
    domain_positive: float = 7 * 86400.0
    domain_negative: float = 10800.0


class DomainRecord(msgspec.Struct, frozen=True):
    """Empty words: not known."""

    result: Literal["", "accept", "reject", "reject_null"] = ""
    """`reject_null`: `MAIL FROM:<>` is refused."""
    postmaster: Word = ""
    random: Word = ""


class CalloutCache:
    def __init__(self, records: HintRecords, lifetimes: Lifetimes) -> None:
        self._records = records
        self._lifetimes = lifetimes

    def address(self, key: str, now: float, lifetimes: Lifetimes | None = None) -> Word:
        """What is known of it still, by those lifetimes or ours."""
        record = self._read(key)
        if record is None or record.text not in ("accept", "reject"):
            return ""
        word: Word = "accept" if record.text == "accept" else "reject"
        lifetimes = lifetimes or self._lifetimes
        life = lifetimes.positive if word == "accept" else lifetimes.negative
        return word if now - record.at <= life else ""

    def domain(self, domain: str, now: float) -> DomainRecord:
        record = self._read(domain)
        if record is None:
            return DomainRecord()
        try:
            found = msgspec.json.decode(record.text, type=DomainRecord)
        except msgspec.DecodeError:
            return DomainRecord()
        is_bad = found.result.startswith("reject") or found.postmaster == "reject"
        life = self._lifetimes.domain_negative if is_bad else self._lifetimes.domain_positive
        return found if now - record.at <= life else DomainRecord()

    def keep_address(self, key: str, word: Word, now: float) -> None:
        self._keep(key, HintRecord(now, word))

    def keep_domain(self, domain: str, record: DomainRecord, now: float) -> None:
        self._keep(domain, HintRecord(now, msgspec.json.encode(record).decode()))

    def _read(self, key: str) -> HintRecord | None:
        try:
            return self._records.read("callout", key)
        except RecordsBusy:
            return None

    def _keep(self, key: str, record: HintRecord) -> None:
        try:
            self._records.change("callout", key, lambda _: record)
        except RecordsBusy:
            return
