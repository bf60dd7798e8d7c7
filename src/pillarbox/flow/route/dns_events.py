"""The event `dns:fail`: names that lead nowhere are told to `event_action` (Exim chapter 61). The main one hears of all lookups but those that
a transport with one of its own makes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import replace

from pillarbox.flow.route.checked_resolver import DISREGARDED
from pillarbox.flow.route.services import RouteServices
from pillarbox.language.expand.scope import Services
from pillarbox.ports.dns import Answer, RecordType, Resolver

Tell = Callable[[str, str], Awaitable[object]]
"""(event, data)."""
_WORDS = {"no_name": "DNS_NOMATCH", "no_data": "DNS_NODATA", "again": "DNS_AGAIN"}

_is_telling: ContextVar[bool] = ContextVar("is_telling", default=False)
"""What the action itself looks up in vain is not told of."""


class TellingResolver:
    """ports.dns.Resolver over another."""

    __slots__ = ("_tell", "resolver")

    def __init__(self, resolver: Resolver, tell: Tell) -> None:
        self.resolver = resolver
        self._tell = tell

    async def query(self, name: str, kind: RecordType) -> Answer:
        answer = await self.resolver.query(name, kind)
        if answer.status != "found" and not _is_telling.get():
            token = _is_telling.set(True)
            try:
                word = "DNS_NOMATCH" if answer.detail is DISREGARDED else _WORDS[answer.status]
                await self._tell("dns:fail", f"{word}:{name}:{kind}")
            finally:
                _is_telling.reset(token)
        return answer


def telling_routing(routing: RouteServices, tell: Tell) -> RouteServices:
    """The same, and `tell` hears of what it does not find."""
    language = routing.language
    resolver = language.resolver
    if isinstance(resolver, TellingResolver):
        resolver = resolver.resolver
    telling = Services(language.lookups, TellingResolver(resolver, tell), language.clock, language.facts)
    return replace(routing, language=telling)
