"""A visit: one address at one router. What preconditions and routers see, and what they find out on the way.

The scope of expansions has two facets that belong to routing: `Candidate`, the address, and `Assignment`, a draft of the result with
everything known so far (`$local_part` without affixes, `$local_part_data`, `$home`, `$address_data` …), made only when an expansion is
about to look.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate, Purpose
from pillarbox.flow.route.looks import Looks
from pillarbox.flow.route.result import Assignment, Letter, LogLine, Notification
from pillarbox.flow.route.services import RouteServices
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.envelope import Origin
from pillarbox.mail.reply import Reason
from pillarbox.ports.users import SystemUser


class Visit:
    """Made once per address, moved from router to router with `enter`."""

    __slots__ = (
        "account",
        "address_data",
        "candidate",
        "domain_data",
        "domains_known",
        "group",
        "home",
        "is_message_told",
        "is_stale",
        "letters",
        "local_part",
        "local_part_data",
        "local_user",
        "log",
        "looks",
        "message",
        "prefix",
        "prefix_v",
        "purpose",
        "router",
        "router_variables",
        "scope_now",
        "seen",
        "self_hostname",
        "sender",
        "services",
        "suffix",
        "suffix_v",
        "user",
        "verify",
    )

    def __init__(
        self, candidate: Candidate, purpose: Purpose, scope: Scope, services: RouteServices, looks: Looks
    ) -> None:
        facts = scope.facet(MessageFacts)
        self.candidate = candidate
        self.local_part = candidate.local_part
        self.purpose = purpose
        self.services = services
        self.looks = looks
        self.sender = (facts.sender or "") if facts is not None and purpose != "verify_sender" else ""
        """Envelope sender; empty for the null sender and while a sender is being verified."""
        self.scope_now = scope.with_facet(Candidate, candidate)
        """Without looking whether the facets are up to date: for tests that read no variable."""
        self.address_data = candidate.address_data
        self.router_variables = candidate.router_variables
        self.self_hostname = candidate.self_hostname
        self.domains_known: dict[str, tuple[str | None, list[str]]] = {}
        """What lists of domains that several routers have say of this one, and leave in `$0 $1 …`."""
        self.message = ""
        """What a router that declined had to say."""
        self.is_message_told = True
        """Senders hear it too, not only who asks."""
        self.router = ""
        self.seen = ""
        """What a `condition` that does not hold has expanded to."""
        self.log: list[LogLine] = []
        self.letters: list[Letter | Notification] = []
        self.verify: Callable[[str], Awaitable[bool]] | None = None
        """Whether an address verifies, for `errors_to`; None: nobody can say, take it."""

    def enter(self, router: str, *, is_caseful: bool) -> None:
        """Forget what the last router found out, but for `address_data`, `r_…` and `self_hostname`."""
        candidate = self.candidate
        self.router = router
        self.local_part = candidate.original_local_part if is_caseful else candidate.local_part
        self.prefix = self.suffix = self.local_part_data = self.domain_data = ""
        self.prefix_v = self.suffix_v = ""
        self.local_user: SystemUser | None = None
        self.account = self.home = self.user = self.group = ""
        self.is_stale = True

    def found_self(self, hostname: str) -> None:
        """`self = pass`: from here on `$self_hostname` tells what we were called."""
        self.self_hostname = hostname
        self.candidate = msgspec.structs.replace(self.candidate, self_hostname=hostname)
        self.scope_now = self.scope_now.with_facet(Candidate, self.candidate)
        self.is_stale = True

    @property
    def domain(self) -> str:
        return self.candidate.domain

    @property
    def is_verifying(self) -> bool:
        return self.purpose == "verify" or self.purpose == "verify_sender"

    @property
    def scope(self) -> Scope:
        """For expansions: facets brought up to date."""
        if self.is_stale:
            self.is_stale = False
            self.scope_now.facets[Assignment] = self.draft()
        return self.scope_now

    def draft(self) -> Assignment:
        candidate = self.candidate
        return Assignment(
            candidate=candidate,
            router=self.router,
            transport="",
            local_part=self.local_part,
            local_part_prefix=self.prefix,
            local_part_suffix=self.suffix,
            local_part_data=self.local_part_data,
            domain_data=self.domain_data,
            address_data=self.address_data,
            account=self.account,
            home=self.home,
            user=self.user,
            group=self.group,
            errors_to=candidate.errors_to,
            headers_add=candidate.headers_add,
            headers_remove=candidate.headers_remove,
            local_part_prefix_v=self.prefix_v,
            local_part_suffix_v=self.suffix_v,
            local_user_uid=-1 if self.local_user is None else self.local_user.uid,
            local_user_gid=-1 if self.local_user is None else self.local_user.gid,
            router_variables=self.router_variables,
        )

    async def expand(self, template: Template) -> str:
        """At once when everything is in memory. Raises ForcedFailure, ExpansionFailed, ExpansionDeferred."""
        if template.is_constant:
            return template.expand_now(self.scope_now)
        if template.is_pure:
            return template.expand_now(self.scope)
        try:
            return template.expand_now(self.scope)
        except BlockingIOError:
            return await template.expand(self.scope)

    async def expand_bool(self, value: bool | Template, option: str) -> bool:
        """`more`, `unseen`. Raises ExpansionFailed for what is no boolean, and as `expand`."""
        if isinstance(value, bool):
            return value
        return as_bool(await self.expand(value), option, self.router)


def as_bool(text: str, option: str, router: str) -> bool:
    """Exim's strict words. Raises ExpansionFailed."""
    match text.strip().lower():
        case "yes" | "true":
            return True
        case "no" | "false":
            return False
    raise ExpansionFailed(
        f'"{text.strip()}" is not a valid value for the "{option}" option in the {router} router'
    )


def plain_reason(text: str) -> Reason:
    """For texts that the peer may read too."""
    return Reason(text, text)


def base_scope(services: RouteServices, origin: Origin, facts: MessageFacts) -> Scope:
    """The scope of a delivery's routing."""
    facets: dict[type, object] = {
        **services.facets,
        Origin: origin,
        MessageFacts: facts,
        type(services.local_host): services.local_host,
    }
    return Scope(facets, services.language)
