"""An Exim filter as redirection data: run it, and make deliveries of what it wants (Exim 22.3, filter.txt). Sieve goes its own way.

`logwrite` appends to a file with the rights of the router's user; without one, or for root, Exim does not write either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, assert_never

import msgspec

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.filter_deliveries import delivery_of
from pillarbox.flow.route.filter_log import write_logs
from pillarbox.flow.route.filtering import is_set, permissions_for, run_filter
from pillarbox.flow.route.generating import Generator, qualifying_domain
from pillarbox.flow.route.redirection import Address
from pillarbox.flow.route.result import (
    Assignment,
    Declined,
    Discarded,
    Postponed,
    Redirected,
    Refused,
    RouteResult,
)
from pillarbox.flow.route.sieve_filter import redirect_by_sieve
from pillarbox.flow.route.skipped_errors import Mistake, tell_of
from pillarbox.flow.route.visit import Visit
from pillarbox.language.filter import actions
from pillarbox.mail.reply import Reason

if TYPE_CHECKING:
    from pillarbox.flow.route.routers.redirect import Redirect


async def redirect_by_filter(router: Redirect, text: str, kind: str, visit: Visit) -> RouteResult:
    if not await is_set(router.allow_filter, "allow_filter", visit):
        return _data_error(router, visit, "filtering not enabled")
    name = "forbid_exim_filter" if kind == "exim" else "forbid_sieve_filter"
    if await is_set(getattr(router, name), name, visit):
        return _data_error(router, visit, f"{'Exim' if kind == 'exim' else 'Sieve'} filtering not enabled")
    if kind == "sieve":
        return await redirect_by_sieve(router, text, visit)
    home = visit.home if router.filter_prepend_home and visit.home else None
    domain = await qualifying_domain(router, visit)
    outcome = await run_filter(text, visit, await permissions_for(router, visit), home, domain)
    if outcome.error:
        if not router.skip_syntax_errors or outcome.is_deferred:
            return _data_error(router, visit, outcome.error)
        await tell_of([Mistake(outcome.error)], router, visit, has_children=False)
        return Declined(message="syntax error in redirection data")
    children = await _generated(router, outcome.actions, visit)
    if trouble := await _write_logs(router, outcome.actions, visit):
        return _data_error(router, visit, trouble)
    if outcome.end is not None:
        return _ended(router, outcome.end, children, visit)
    if not outcome.is_delivered:
        return Declined("the filter delivers nothing", children=children)
    if not children:
        return Discarded(await router.is_unseen(visit), "discarded")
    return Redirected(children, await router.is_unseen(visit))


async def _write_logs(router: Redirect, wanted: Sequence[actions.Action], visit: Visit) -> str:
    """What went wrong. Nothing is written while an address is only asked about, nor where the filter runs as nobody in particular."""
    if visit.purpose != "deliver" or not any(isinstance(each, actions.LogWrite) for each in wanted):
        return ""
    actor, work = await router.actor(visit), visit.services.work
    return "" if actor is None or work is None else await write_logs(wanted, work, actor)


def _data_error(router: Redirect, visit: Visit, why: str) -> Postponed:
    where = "data" if router.file is None else "file"
    return router.postpone(visit, f"error in filter {where}: {why}", error="redirect_data")


def _ended(
    router: Redirect, end: actions.End, children: tuple[Candidate | Assignment, ...], visit: Visit
) -> RouteResult:
    """What was set up before is delivered all the same."""
    match end.verb:
        case "fail":
            return Refused(Reason(end.text, end.text), children)
        case "defer":
            return Postponed(Reason(end.text, end.text), (router.retry_key(visit),), children=children)
        case "freeze":
            return msgspec.structs.replace(
                router.postpone(visit, end.text, is_frozen=True), children=children
            )


async def _generated(
    router: Redirect, wanted: Iterable[actions.Action], visit: Visit
) -> tuple[Candidate | Assignment, ...]:
    """The deliveries that a filter has set up, in order."""
    generator = await Generator.at(router, visit)
    made: list[Candidate | Assignment] = []
    for action in wanted:
        one = await _one(generator, action, visit)
        if one is not None:
            made.append(one)
    return tuple(made)


async def _one(generator: Generator, action: actions.Action, visit: Visit) -> Candidate | Assignment | None:
    match action:
        case actions.Deliver(address=address):
            local_part, _, domain = address.rpartition("@")
            child = await generator.child(Address(local_part, domain))
            if action.errors_to is not None:
                child = msgspec.structs.replace(child, errors_to=action.errors_to)
            return msgspec.structs.replace(child, ignores_errors=action.ignores_errors)
        case actions.Save() | actions.Pipe() | actions.Mail():
            return await delivery_of(action, visit.scope, generator.delivery)
        case (
            actions.MailIgnored()
            | actions.Add()
            | actions.LogFile()
            | actions.LogWrite()
            | actions.Headers()
            | actions.TestPrint()
            | actions.Finish()
            | actions.End()
        ):
            return None
        case _:
            assert_never(action)
