"""`percent_hack_domains`: in these domains of ours `user%other@domain` means `user@other` (Exim 14).

The address that is meant is handled as if the written one were redirected to it, before any router sees it, and before the RCPT ACL does.
"""

from __future__ import annotations

from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.domains import DomainList

NOBODY = ""
"""In the place of the router that redirected."""


async def meant_by(candidate: Candidate, domains: DomainList, scope: Scope) -> Candidate:
    """The same candidate where there is nothing to resolve. Raises ExpansionDeferred, ExpansionFailed."""
    local_part, domain = candidate.original_local_part, candidate.domain
    while "%" in local_part and await domains.matches(domain, scope):
        local_part, _, domain = local_part.rpartition("%")
        domain = domain.lower()
    if local_part == candidate.original_local_part:
        return candidate
    return candidate.child(f"{local_part}@{domain}", NOBODY)
