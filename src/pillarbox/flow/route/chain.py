"""The chain: an address goes from router to router until one decides, and so does whatever it is redirected to.

A worklist with ancestry. A router is skipped when an ancestor that is the same address was redirected by it (Exim 22.5), so loops end;
numbers and depth are bounded besides. Within one message an address is routed once, however many ways lead to it (Exim 3.11, 22.7).

`purpose="verify"` and `"verify_sender"`: a redirection to exactly one address goes on with that; any other redirection is a success
(Exim 43.47). The address is good when the result has neither `refused` nor `postponed`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, assert_never

import msgspec

from pillarbox.config.errors import ConfigError, Problem
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate, Purpose
from pillarbox.flow.route.preconditions import Check, compile_checks
from pillarbox.flow.route.result import (
    Assigned,
    Assignment,
    Declined,
    Discarded,
    Passed,
    Postponed,
    Redirected,
    Refused,
    Routed,
    RouteResult,
)
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.services import RouteServices
from pillarbox.flow.route.visit import Visit, as_bool, base_scope
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope, replay
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.mail.reply import Reason

MAX_GENERATED = 50_000
"""Addresses that one message's recipients may lead to."""
MAX_DEPTH = 50
"""Redirections in a row."""
UNROUTEABLE = "Unrouteable address"

Trace = list[tuple[str, str]]
"""(router, what happened there), for `-bt` and `pillarbox why`."""


class _Stage(NamedTuple):
    place: int
    router: Router
    checks: tuple[Check, ...]


class _Task(NamedTuple):
    candidate: Candidate
    start: int
    copy: int
    """How many `unseen` copies before this one have the same address."""


class Chain:
    """The routers of one configuration, ready to run."""

    __slots__ = ("_index", "_services", "_stages")

    def __init__(self, routers: Sequence[Router], services: RouteServices) -> None:
        """Raises ConfigError when a router names another that does not exist or, for `pass_router`, does not stand below."""
        self._services = services
        self._index = {router.name: index for index, router in enumerate(routers)}
        _check_names(routers, self._index)
        self._stages: dict[Purpose, tuple[_Stage, ...]] = {
            purpose: tuple(
                _Stage(index, router, compile_checks(router, purpose)) for index, router in enumerate(routers)
            )
            for purpose in ("deliver", "verify", "verify_sender", "expn", "test")
        }

    async def route(
        self, candidate: Candidate, purpose: Purpose, scope: Scope, trace: Trace | None = None
    ) -> Routed:
        """Where does this address go, with all that it is redirected to? `scope` holds the facts of connection and message."""
        return await _Run(self, purpose, scope, set(), trace).route(candidate)

    async def route_for_delivery(
        self, candidates: Sequence[Candidate], envelope: Envelope, message: Message
    ) -> list[Routed]:
        """One answer for each candidate; an address that several lead to is in the first one's only."""
        scope = base_scope(self._services, envelope.origin, MessageFacts.of(envelope, message))
        seen: set[object] = set()
        return [await _Run(self, "deliver", scope, seen, None).route(candidate) for candidate in candidates]

    def stages(self, purpose: Purpose) -> tuple[_Stage, ...]:
        return self._stages[purpose]

    def index_of(self, router: str) -> int:
        """0 for the empty name: the first router."""
        return self._index[router] if router else 0

    @property
    def services(self) -> RouteServices:
        return self._services


class _Run:
    """The routing of one candidate and its descendants. `seen` is shared by the candidates of one message."""

    __slots__ = (
        "_assignments", "_chain", "_discarded", "_generated", "_postponed", "_purpose", "_refused", "_scope", "_seen",
        "_stages", "_tasks", "_trace",
    )  # fmt: skip

    def __init__(
        self, chain: Chain, purpose: Purpose, scope: Scope, seen: set[object], trace: Trace | None
    ) -> None:
        self._chain = chain
        self._purpose = purpose
        self._stages = chain.stages(purpose)
        self._scope = scope
        self._seen = seen
        self._trace = trace
        self._tasks: deque[_Task] = deque()
        self._generated = 0
        self._assignments: list[Assignment] = []
        self._refused: list[tuple[Candidate, Refused, str]] = []
        self._postponed: list[tuple[Candidate, Postponed, str]] = []
        self._discarded: list[tuple[Candidate, str]] = []

    async def route(self, candidate: Candidate) -> Routed:
        self._add(candidate, 0, 0)
        tasks = self._tasks
        while tasks:
            await self._route_one(tasks.popleft())
        return Routed(
            tuple(self._assignments), tuple(self._refused), tuple(self._postponed), tuple(self._discarded)
        )

    def _add(self, candidate: Candidate, start: int, copy: int) -> None:
        """Put on the worklist, unless this message has had the address already (when delivering)."""
        if self._purpose == "deliver":
            key = (*_identity(candidate), copy)
            if key in self._seen:
                return
            self._seen.add(key)
        self._tasks.append(_Task(candidate, start, copy))

    async def _route_one(self, task: _Task) -> None:
        """Through the routers from `task.start`; ends with one of the run's lists longer, or new tasks."""
        candidate = task.candidate
        visit = Visit(candidate, self._purpose, self._scope, self._chain.services)
        last: Router | None = None
        index, end = task.start, len(self._stages)
        while index < end:
            stage = self._stages[index]
            last = router = stage.router
            result = await self._result(visit, stage)
            if self._trace is not None:
                self._trace.append((router.name, _describe(result)))
            match result:
                case str():
                    index += 1
                case Declined(message=message):
                    visit.message = message or visit.message
                    if await self._has_no_more(visit, router):
                        break
                    index += 1
                case Passed(to_router=to_router, self_hostname=self_hostname):
                    visit.self_hostname = self_hostname or visit.self_hostname
                    index = self._chain.index_of(to_router) if to_router else index + 1
                case _:
                    self._settle(task, visit, stage, result)
                    return
        await self._unrouteable(visit, last)

    async def _result(self, visit: Visit, stage: _Stage) -> RouteResult | str:
        """As `_visit`; trouble with expansions and lookups postpones (Exim 3.10)."""
        candidate, router = visit.candidate, stage.router
        if candidate.parents and (why := _skipped_as_loop(candidate, router)) is not None:
            return why
        try:
            return await self._visit(visit, stage)
        except (ExpansionDeferred, ExpansionFailed) as error:
            return router.postpone(visit, f"{router.name} router: {error}")

    async def _visit(self, visit: Visit, stage: _Stage) -> RouteResult | str:
        """The router's answer, or why it was skipped. Raises ExpansionFailed, ExpansionDeferred."""
        router = stage.router
        visit.enter(router.name, is_caseful=router.caseful_local_part)
        try:
            for check in stage.checks:
                why = check(visit)
                if why is not None:
                    return why
        except BlockingIOError:
            why = await _check_waiting(visit, stage)
            if why is not None:
                return why
        if router.address_data is not None:
            try:
                visit.address_data = await visit.expand(router.address_data)
            except ForcedFailure:
                return Declined("address_data was forced to fail")
            visit.is_stale = True
        return await router.route(visit)

    async def _has_no_more(self, visit: Visit, router: Router) -> bool:
        if isinstance(router.more, bool):
            return not router.more
        try:
            return not as_bool(await visit.expand(router.more), "more")
        except ForcedFailure:
            return False

    def _settle(
        self,
        task: _Task,
        visit: Visit,
        stage: _Stage,
        result: Assigned | Redirected | Discarded | Refused | Postponed,
    ) -> None:
        candidate, router = task.candidate, stage.router
        match result:
            case Assigned(assignment=assignment, and_continue=and_continue):
                self._assignments.append(assignment)
                if and_continue:
                    self._copy_on(task, visit, stage)
            case Redirected(children=children, assignments=assignments, and_continue=and_continue):
                self._redirect(candidate, router, children, assignments)
                if and_continue:
                    self._copy_on(task, visit, stage)
            case Discarded():
                self._discarded.append((candidate, router.name))
            case Refused():
                self._refused.append((candidate, result, router.name))
            case Postponed():
                self._postponed.append((candidate, result, router.name))
            case _:
                assert_never(result)

    def _copy_on(self, task: _Task, visit: Visit, stage: _Stage) -> None:
        """`unseen`: a copy goes to the next router, without header changes, with address_data."""
        if stage.place + 1 < len(self._stages) and not visit.is_verifying:
            clean = msgspec.structs.replace(
                task.candidate, headers_add=(), headers_remove=(), address_data=visit.address_data
            )
            self._add(clean, stage.place + 1, task.copy + 1)

    def _redirect(
        self,
        candidate: Candidate,
        router: Router,
        children: tuple[Candidate, ...],
        assignments: tuple[Assignment, ...],
    ) -> None:
        self._generated += len(children) + len(assignments)
        if len(candidate.parents) >= MAX_DEPTH or self._generated > MAX_GENERATED:
            reason = Reason(f"redirection of {candidate.address} leads too far or to too many addresses")
            self._refused.append((candidate, Refused(reason), router.name))
            return
        if self._purpose in ("verify", "verify_sender") and (assignments or len(children) != 1):
            return
        for assignment in assignments:
            if self._is_new_delivery(assignment):
                self._assignments.append(assignment)
        for child in children:
            self._add(child, self._chain.index_of(child.start_router), 0)

    def _is_new_delivery(self, assignment: Assignment) -> bool:
        """Files and pipes count as the same only below the same parent (Exim 22.7)."""
        if self._purpose != "deliver":
            return True
        candidate = assignment.candidate
        parent = candidate.parents[0].address if candidate.parents else ""
        key = ("file", assignment.file, parent)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    async def _unrouteable(self, visit: Visit, last: Router | None) -> None:
        text = visit.message or UNROUTEABLE
        if not visit.message and last is not None and last.cannot_route_message is not None:
            try:
                text = await visit.expand(last.cannot_route_message) or UNROUTEABLE
            except (ExpansionFailed, ExpansionDeferred):
                text = UNROUTEABLE
        self._refused.append((visit.candidate, Refused(Reason(text, text)), ""))


def _skipped_as_loop(candidate: Candidate, router: Router) -> str | None:
    """Exim 22.5, 22.8: the same address by the same router; any address when `repeat_use` is off."""
    for parent, redirected_by in zip(candidate.parents, candidate.redirected_by, strict=True):
        if redirected_by == router.name and (
            not router.may_repeat or parent.address.lower() == candidate.address.lower()
        ):
            return f"already redirected {parent.address}"
    return None


async def _check_waiting(visit: Visit, stage: _Stage) -> str | None:
    """All tests again, waiting for what is not in memory; each is plain code that is replayed with the answer at hand."""
    scope = visit.scope_now

    def evaluate(run: Scope) -> str | None:
        visit.scope_now = run
        visit.enter(stage.router.name, is_caseful=stage.router.caseful_local_part)
        for check in stage.checks:
            why = check(visit)
            if why is not None:
                return why
        return None

    try:
        return await replay(scope, evaluate)
    finally:
        visit.scope_now = scope
        visit.is_stale = True


def _identity(candidate: Candidate) -> tuple[str, str, int]:
    """Local parts are compared with case, domains without; a child that is the same as an ancestor is another thing than it."""
    local, _, domain = candidate.address.rpartition("@")
    same = 0
    if candidate.parents:
        same = sum(1 for parent in candidate.parents if parent.address == candidate.address)
    return local, domain.lower(), same


def _describe(result: RouteResult | str) -> str:
    match result:
        case str():
            return f"skipped: {result}"
        case Assigned(assignment=assignment):
            return f"accepted for {assignment.transport or 'verification'}"
        case Redirected(children=children, assignments=assignments):
            generated = [child.address for child in children] + [each.file for each in assignments]
            return f"redirected to {', '.join(generated)}"
        case Declined(why=why):
            return f"declined: {why}" if why else "declined"
        case Passed(to_router=to_router):
            return f"passed to {to_router or 'the next router'}"
        case Discarded():
            return "discarded"
        case Refused(reason=reason):
            return f"failed: {reason.log}"
        case Postponed(reason=reason):
            return f"deferred: {reason.log}"


def _check_names(routers: Sequence[Router], index: dict[str, int]) -> None:
    problems: list[Problem] = []
    for position, router in enumerate(routers):
        for name, option, must_be_below in (
            (router.pass_router, "pass_router", True),
            (router.redirect_router, "redirect_router", False),
        ):
            if not name:
                continue
            if name not in index:
                why = f"{option} of router {router.name}: there is no router {name}"
            elif must_be_below and index[name] <= position:
                why = f"{option} of router {router.name}: {name} must stand below it"
            else:
                continue
            problems.append(Problem(router.origin.file, router.origin.line, name, why))
    if problems:
        raise ConfigError(tuple(problems))
