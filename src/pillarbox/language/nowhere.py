"""A scope without facts in which nothing can be asked: for rules that are matched outside any message."""

from __future__ import annotations

from functools import cache

from pillarbox.language.expand.scope import Scope, Services
from pillarbox.ports.dns import Answer, RecordType
from pillarbox.ports.lookups import Lookup


class StillClock:
    """Time does not pass (ports.clock.Clock)."""

    def now(self) -> float:
        return 0.0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        return None


class _Nothing(StillClock):
    def get(self, kind: str) -> Lookup | None:
        return None

    def kinds(self) -> frozenset[str]:
        return frozenset()

    async def query(self, name: str, kind: RecordType) -> Answer:
        return Answer("again", detail="there is no resolver here")


@cache
def no_services() -> Services:
    nothing = _Nothing()
    return Services(nothing, nothing, nothing)


def empty_scope() -> Scope:
    return Scope({}, no_services())
