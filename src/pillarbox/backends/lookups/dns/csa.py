"""Client SMTP Authorization: the SRV record of a client's name, or of a parent that speaks for its subdomains (Exim 44.26)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pillarbox.ports.dns import Answer, Record

SEARCH_LIMIT = 5
"""Parents asked, as `dns_csa_search_limit` has it by default."""
_VERSION = 1
_EXPLICIT_ONLY = 1
"""Bit of the port: subdomains are authorized one by one."""
_CODES = {0: "N", 1: "N", 2: "Y", 3: "?"}


async def csa_fields(name: str, ask: Callable[[str], Awaitable[Answer]]) -> Answer:
    """An answer whose one record reads `Y target`; N: not authorized, ?: unknown, X: a parent wants explicit authorization.

    The parents are asked only where the name exists without such a record (no NXDOMAIN), from the shortest on.
    """
    answer = await ask(f"_client._smtp.{name}")
    if answer.status == "found":
        return _own(answer)
    if answer.status != "no_data":
        return answer
    labels = name.split(".")
    for start in range(len(labels) - 2, 0, -1)[:SEARCH_LIMIT]:
        answer = await ask("_client._smtp." + ".".join(labels[start:]))
        if answer.status == "found" and (told := _parents(answer)).status == "found":
            return told
        if answer.status == "again":
            return answer
    return Answer("no_data")


def _own(answer: Answer) -> Answer:
    for record in answer.records:
        if record.preference == _VERSION and record.weight in _CODES:
            return _told(_CODES[record.weight], record, answer)
    return Answer("no_data")


def _parents(answer: Answer) -> Answer:
    for record in answer.records:
        if record.preference == _VERSION and record.port & _EXPLICIT_ONLY:
            return _told("X", record, answer)
    return Answer("no_data")


def _told(code: str, record: Record, answer: Answer) -> Answer:
    return Answer("found", (Record(f"{code} {record.data}"),), ttl=answer.ttl, is_secure=answer.is_secure)
