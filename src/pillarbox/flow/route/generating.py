"""What redirection makes of an address: children to be routed, and deliveries to files, directories, pipes and senders (Exim 22.7).

Known gaps: none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.filtering import is_set
from pillarbox.flow.route.inheritance import inherited
from pillarbox.flow.route.redirection import Address
from pillarbox.flow.route.result import Assignment, Declined, LogLine, Postponed, RouteResult, Target
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.taint import plain
from pillarbox.language.expand.template import Template

if TYPE_CHECKING:
    from pillarbox.flow.route.routers.redirect import Redirect


class Stop(Exception):
    """The whole redirection ends with this result."""

    def __init__(self, result: RouteResult) -> None:
        super().__init__()
        self.result = result


class _NoTransport(Exception):
    """`str()` says why."""


class Generator:
    """Makes the children of one address at one router."""

    __slots__ = ("_changes", "_router", "_visit")

    def __init__(self, router: Redirect, visit: Visit, changes: dict[str, object]) -> None:
        """`changes`: what the generic options put into an assignment (`Router.inherited`)."""
        self._router = router
        self._visit = visit
        self._changes = changes

    @classmethod
    async def at(cls, router: Redirect, visit: Visit) -> Generator:
        return cls(router, visit, await inherited(router, visit))

    async def child(self, item: Address) -> Candidate:
        """Raises Stop, ExpansionFailed, ExpansionDeferred."""
        router, visit, current = self._router, self._visit, self._visit.candidate
        address = f"{item.local_part}@{item.domain or await self._domain_for(item)}"
        if router.rewrite and visit.services.rewriting is not None:
            rewritten = await visit.services.rewriting.of_envelope(address, visit.scope)
            visit.log += [LogLine(text, is_panic=is_complaint) for text, is_complaint in rewritten.notes]
            address = rewritten.address
        if router.check_ancestor and _is_among(address, (current, *current.parents)):
            address = current.address
        child = current.child(
            plain(address), router.name, self._errors_to, is_caseful=router.caseful_local_part
        )
        return msgspec.structs.replace(
            child,
            start_router=router.redirect_router,
            address_data=visit.address_data,
            router_variables=visit.router_variables,
            headers_add=self._changes.get("headers_add", current.headers_add),
            headers_remove=self._changes.get("headers_remove", current.headers_remove),
            self_hostname=visit.self_hostname,
            is_hidden=router.hide_child_in_errmsg or current.is_hidden,
            is_one_time=router.one_time,
        )

    @property
    def _errors_to(self) -> str | None:
        errors_to = self._changes.get("errors_to")
        return errors_to if isinstance(errors_to, str) else None

    async def _domain_for(self, item: Address) -> str:
        if item.is_escaped:
            return self._visit.domain
        return await qualifying_domain(self._router, self._visit)

    async def delivery(self, kind: Target, target: str) -> Assignment:
        """To a file, a directory, a pipe or a sender: needs no more routing. The variables stay those of the parent."""
        router, visit = self._router, self._visit
        trouble, transport = "", ""
        try:
            transport = await self._transport_for(kind)
        except _NoTransport as why:
            trouble = str(why)
        current = visit.candidate
        child = msgspec.structs.replace(
            current.child(plain(target), router.name, self._errors_to, is_caseful=router.caseful_local_part),
            local_part=current.local_part,
            original_local_part=current.original_local_part,
            domain=current.domain,
            is_hidden=router.hide_child_in_errmsg or current.is_hidden,
            is_generated=True,
        )
        return msgspec.structs.replace(
            visit.draft(),
            candidate=child,
            transport=transport,
            file=target.removeprefix("|") if kind == "pipe" else target,
            target=kind,
            trouble=trouble,
            forbidden=await self._forbidden(kind),
            **self._changes,
        )

    async def _transport_for(self, kind: str) -> str:
        """Raises _NoTransport."""
        template: Template | None = getattr(self._router, f"{kind}_transport")
        if template is None:
            raise _NoTransport(f"{kind}_transport unset in {self._router.name} router")
        try:
            return await self._router.transport_name(self._visit, template)
        except (ExpansionFailed, ExpansionDeferred) as error:
            raise _NoTransport(str(error)) from None

    async def _forbidden(self, kind: str) -> str:
        router, visit = self._router, self._visit
        match kind:
            case "pipe" if await is_set(router.forbid_pipe, "forbid_pipe", visit):
                return "delivery to pipe forbidden"
            case "file" | "directory" if await is_set(router.forbid_file, "forbid_file", visit):
                return "delivery to file forbidden"
            case "reply" if await is_set(router.forbid_filter_reply, "forbid_filter_reply", visit):
                return "autoreply forbidden"
        return ""


async def qualifying_domain(router: Redirect, visit: Visit) -> str:
    """What addresses without a domain get, in lists and filters. Raises Stop."""
    if router.qualify_preserve_domain:
        return visit.domain
    if router.qualify_domain is None:
        return visit.services.qualify_recipient or visit.domain
    try:
        return await visit.expand(router.qualify_domain) or visit.domain
    except ForcedFailure as error:
        raise Stop(Declined(f"qualify_domain: {error}")) from None
    except (ExpansionFailed, ExpansionDeferred) as error:
        why = f'failed to expand "{router.qualify_domain.source}": {error}'
        raise Stop(router.postpone(visit, why, error="expansion")) from None


def kind_of_path(path: str) -> Target:
    return "directory" if path.endswith("/") else "file"


def data_error(router: Redirect, visit: Visit, why: str) -> Postponed:
    """Wrong redirection data: the address waits until somebody has mended them."""
    where = "data" if router.file is None else "file"
    return router.postpone(visit, f"error in redirect {where}: {why}", error="redirect_data")


def _is_among(address: str, candidates: tuple[Candidate, ...]) -> bool:
    folded = address.lower()
    return any(candidate.address.lower() == folded for candidate in candidates)
