"""Running a user's Exim filter as redirection data (Exim 22.3, filter.txt).

What the filter may do is the redirect router's say (`forbid_filter_…`, `allow_…`); what comes of it is the filter's outcome, for the router
to turn into deliveries. Filters see the message and the address as the router's own expansions do.
"""

from __future__ import annotations

import copy

from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.conditions.delivery import DeliveryRun
from pillarbox.language.expand.errors import ForcedFailure
from pillarbox.language.expand.forbidden import Forbidden
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.filter.actions import Outcome
from pillarbox.language.filter.circumstances import Circumstances
from pillarbox.language.filter.commands import Permissions
from pillarbox.language.filter.errors import FilterSyntaxError
from pillarbox.language.filter.interpreter import interpret
from pillarbox.language.filter.parser import parse_filter
from pillarbox.mail.message import Message

_FILTER_ITEMS = {
    "dlfunc": ("dlfunc",),
    "existstest": ("exists", "stat"),
    "lookup": ("lookup",),
    "perl": ("perl", "python"),
    "readfile": ("readfile",),
    "readsocket": ("readsocket",),
    "run": ("run",),
}
"""What `forbid_filter_…` takes away from expansions."""


async def is_set(value: bool | Template, name: str, visit: Visit) -> bool:
    """A boolean option that may be an expansion; forced to fail, it is not. Raises ExpansionFailed, ExpansionDeferred."""
    try:
        return await visit.expand_bool(value, name)
    except ForcedFailure:
        return False


async def permissions_for(router: Router, visit: Visit) -> Permissions:
    """What the options of a redirect router leave to its filters."""
    forbidden: list[str] = []
    for word, names in _FILTER_ITEMS.items():
        name = f"forbid_filter_{word}"
        if await is_set(getattr(router, name), name, visit):
            forbidden.extend(names)
    name = "forbid_filter_logwrite"
    return Permissions(
        allows_fail=getattr(router, "allow_fail", False),
        allows_freeze=getattr(router, "allow_freeze", False),
        allows_defer=getattr(router, "allow_defer", False),
        allows_logwrite=not await is_set(getattr(router, name), name, visit),
        forbidden_items=frozenset(forbidden),
    )


class MessageBlocks:
    """The header block of the message in a scope; changes are made to a copy of its facts."""

    def read(self, scope: Scope) -> bytes:
        facts = scope.facet(MessageFacts)
        return facts.message.headers if facts is not None and facts.message is not None else b""

    def with_block(self, scope: Scope, block: bytes) -> Scope:
        facts = scope.facet(MessageFacts)
        if facts is None or facts.message is None:
            return scope
        changed = copy.copy(facts)
        changed.message = Message(block, facts.message.body)
        return scope.with_facet(MessageFacts, changed)

    def with_charset(self, scope: Scope, charset: str) -> Scope:
        """Known gap: header variables are UTF-8 whatever a filter asks for."""
        return scope


async def run_filter(
    text: str, visit: Visit, permissions: Permissions, home: str | None, qualify_domain: str
) -> Outcome:
    """`home` goes in front of relative paths of `save`; None: they stay as they are. An error is in the outcome."""
    try:
        rules = parse_filter(text, permissions)
    except FilterSyntaxError as error:
        return Outcome((), False, error.message)
    scope = visit.scope
    if permissions.forbidden_items:
        scope = scope.with_facet(Forbidden, Forbidden(permissions.forbidden_items))
    return await interpret(rules, scope, _circumstances(visit, home, qualify_domain))


def _circumstances(visit: Visit, home: str | None, qualify_domain: str) -> Circumstances:
    run = visit.scope.facet(DeliveryRun)
    return Circumstances(
        headers=MessageBlocks(),
        sender=visit.sender,
        return_path=visit.candidate.errors_to if visit.candidate.errors_to is not None else visit.sender,
        own_addresses=own_addresses_at(visit),
        qualify_domain=qualify_domain,
        prepend_home=home,
        is_first_delivery=run is None or run.is_first,
    )


def own_addresses_at(visit: Visit) -> tuple[str, ...]:
    return own_addresses(visit.local_part, visit.domain, visit.prefix, visit.suffix)


def own_addresses(local_part: str, domain: str, prefix: str, suffix: str) -> tuple[str, ...]:
    """Of the user whose script it is: without the affixes, and with them."""
    own = f"{local_part}@{domain}"
    return (own, f"{prefix}{local_part}{suffix}@{domain}") if prefix or suffix else (own,)
