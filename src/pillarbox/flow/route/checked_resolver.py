"""The resolver, with what the main options say of answers: `dns_again_means_nonexist`, `dns_check_names_pattern`, `dns_trust_aa` (Exim 14).

Only where one of them is set: the usual pattern refuses no name that the DNS could hold and mail could use.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pillarbox.ports.dns import Answer, RecordType, Resolver

DISREGARDED = "no answer, which means that there is nothing"
"""`detail` of an answer by `dns_again_means_nonexist`."""
_HOST_NAMES = frozenset(("A", "AAAA", "MX", "CNAME"))


class CheckedResolver:
    """`ports.dns.Resolver` over another. Tests are of a name, the last of the zone that answers; None: there is no such test."""

    def __init__(
        self,
        resolver: Resolver,
        is_well_formed: Callable[[str], bool] | None,
        is_nonexistent: Callable[[str], bool] | None,
        is_trusted: Callable[[str], bool] | None = None,
    ) -> None:
        self._resolver = resolver
        self._is_well_formed = is_well_formed
        self._is_nonexistent = is_nonexistent
        self._is_trusted = is_trusted

    async def query(self, name: str, kind: RecordType) -> Answer:
        if self._is_well_formed is not None and kind in _HOST_NAMES and not self._is_well_formed(name):
            return Answer("no_name")
        answer = await self._resolver.query(name, kind)
        if answer.status == "again" and self._is_nonexistent is not None and self._is_nonexistent(name):
            return Answer("no_data", detail=DISREGARDED)
        if answer.authority and self._is_trusted is not None and self._is_trusted(answer.authority):
            return msgspec.structs.replace(answer, is_secure=True)
        return answer
