"""The chain: an address goes from router to router until one decides, and so does whatever it is redirected to.

A worklist with ancestry. A router is skipped when an ancestor that is the same address was redirected by it (Exim 22.5), so loops end;
numbers and depth are bounded besides. Within one message an address is delivered to once, however many ways lead to it (Exim 3.11, 22.7).

`purpose="verify"` and `"verify_sender"`: a redirection to exactly one address goes on with that; any other redirection is a success
(Exim 43.47). The address is good when the result has neither `refused` nor `postponed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, assert_never

import msgspec

from pillarbox.config.errors import ConfigError, Problem
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate, Purpose
from pillarbox.flow.route.logins import UnknownLogin
from pillarbox.flow.route.looks import Companions, Looks
from pillarbox.flow.route.percent_hack import meant_by
from pillarbox.flow.route.preconditions import Check, compile_checks
from pillarbox.flow.route.result import (
    Assigned,
    Assignment,
    Declined,
    Discarded,
    Letter,
    LogLine,
    Passed,
    Postponed,
    Redirected,
    Refused,
    Routed,
    RouteResult,
    Trouble,
)
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.services import RouteServices
from pillarbox.flow.route.visit import Visit, as_bool, base_scope
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import MustWait, Scope, replay
from pillarbox.language.filter.variables import FilterState
from pillarbox.mail.envelope import Envelope, Recipient
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


class _Generated(NamedTuple):
    """A delivery that redirection made. Equal `key`: the same one."""

    assignment: Assignment
    key: object


class Chain:
    """The routers of one configuration, ready to run."""

    __slots__ = ("_index", "_services", "_stages", "companions")

    def __init__(self, routers: Sequence[Router], services: RouteServices) -> None:
        """Raises ConfigError when a router names another that does not exist or, for `pass_router`, does not stand below."""
        self._services = services
        self.companions = Companions()
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
        run = _Run(self, purpose, scope, trace)
        await run.route_in_turn(candidate)
        return run.answer()

    async def route_for_delivery(
        self,
        candidates: Sequence[Candidate],
        envelope: Envelope,
        message: Message,
        *,
        filter_state: FilterState | None = None,
    ) -> list[Routed]:
        """Answers that together tell of all candidates; of what several lead to there is one assignment. `filter_state`: the system
        filter's numbers."""
        scope = base_scope(self._services, envelope.origin, MessageFacts.of(envelope, message))
        if filter_state is not None:
            scope = scope.with_facet(FilterState, filter_state)
        run = _Run(self, "deliver", scope, None)
        await run.route_in_rounds(candidates)
        return [run.answer(goes_backwards=True)]

    def stages(self, purpose: Purpose) -> tuple[_Stage, ...]:
        return self._stages[purpose]

    def index_of(self, router: str) -> int:
        """0 for the empty name: the first router."""
        return self._index[router] if router else 0

    @property
    def services(self) -> RouteServices:
        return self._services


class _Run:
    """The routing of the candidates of one message, or of one that is asked about, and their descendants."""

    __slots__ = (
        "_chain", "_discarded", "_found", "_fresh", "_generated", "_history", "_letters", "_log", "_looks", "_new_domains",
        "_purpose", "_redirected",
        "_scope", "_stages", "_trace", "_verified",
    )  # fmt: skip

    def __init__(self, chain: Chain, purpose: Purpose, scope: Scope, trace: Trace | None) -> None:
        self._chain = chain
        self._purpose = purpose
        self._stages = chain.stages(purpose)
        self._scope = scope
        self._trace = trace
        self._generated = 0
        self._fresh: list[_Task | _Generated] = []
        """What a router has just made, to be seen to."""
        self._found: list[tuple[object, Assignment]] = []
        """With what tells duplicates, in the order in which they were found."""
        self._history: list[Trouble | Assignment] = []
        self._discarded: list[tuple[Candidate, str, str]] = []
        self._redirected: list[tuple[Candidate, str]] = []
        self._log: list[LogLine] = []
        self._letters: list[Letter] = []
        self._looks = Looks(chain.companions)
        self._new_domains: dict[str, str] = {}
        self._verified: dict[str, bool] = {}

    async def route_in_turn(self, candidate: Candidate) -> None:
        """An address, then what it leads to before anything else: for questions, as Exim answers them."""
        waiting: list[_Task | _Generated] = [_Task(candidate, self._start(candidate), 0)]
        while waiting:
            task = waiting.pop(0)
            if isinstance(task, _Generated):
                self._keep(task.key, task.assignment)
            else:
                await self._route_one(task)
                waiting[:0] = self._fresh
                self._fresh = []

    async def route_in_rounds(self, candidates: Sequence[Candidate]) -> None:
        """All addresses, then all that they lead to: for deliveries. The order is Exim's, which decides which of several ways to the
        same address is the one that counts: each round backwards, and what the routers made is put in front."""
        waiting: list[_Task | _Generated] = [
            _Task(candidate, self._start(candidate), 0) for candidate in candidates
        ]
        while waiting:
            self._fresh = []
            for each in waiting:
                if isinstance(each, _Generated):
                    self._keep(each.key, each.assignment)
            for task in reversed(waiting):
                if isinstance(task, _Task):
                    made, self._fresh = self._fresh, []
                    await self._route_one(task)
                    self._fresh += made
            waiting = self._fresh

    async def _verifies(self, address: str) -> bool:
        """Of a router's `errors_to` (Exim 15): verified as a recipient, once."""
        good = self._verified.get(address)
        if good is None:
            routed = await self._chain.route(Candidate.first(Recipient(address)), "verify", self._scope)
            good = self._verified[address] = not (routed.refused or routed.postponed)
        return good

    def _start(self, candidate: Candidate) -> int:
        return self._chain.index_of(candidate.start_router)

    def _keep(self, key: object, assignment: Assignment) -> None:
        self._found.append((key, assignment))
        self._history.append(assignment)

    def answer(self, *, goes_backwards: bool = False) -> Routed:
        troubles = [each for each in self._history if isinstance(each, Trouble)]
        return Routed(
            self._assignments(goes_backwards),
            tuple((c, result, router) for c, result, router in troubles if isinstance(result, Refused)),
            tuple((c, result, router) for c, result, router in troubles if isinstance(result, Postponed)),
            tuple(self._discarded),
            tuple(self._redirected),
            tuple(self._history),
            tuple(self._log),
            tuple(self._letters),
            tuple(self._new_domains.items()),
        )

    def _assignments(self, goes_backwards: bool) -> tuple[Assignment, ...]:
        """Without duplicates when delivering (Exim 3.11, 22.7). Backwards, the last that was found counts, and goes first."""
        if self._purpose != "deliver":
            return tuple(assignment for _, assignment in self._found)
        seen: dict[object, Assignment] = {}
        for key, assignment in reversed(self._found) if goes_backwards else self._found:
            seen.setdefault(key, assignment)
        return tuple(seen.values())

    async def _route_one(self, task: _Task) -> None:
        """Through the routers from `task.start`; ends with one of the run's lists longer, or new tasks."""
        if (hack := self._chain.services.percent_hack) is not None and "%" in task.candidate.local_part:
            try:
                task = task._replace(candidate=await meant_by(task.candidate, hack, self._scope))
            except (ExpansionDeferred, ExpansionFailed) as error:
                self._history.append(Trouble(task.candidate, Postponed(Reason(str(error))), ""))
                return
        candidate = task.candidate
        visit = Visit(candidate, self._purpose, self._scope, self._chain.services, self._looks)
        visit.log, visit.letters, visit.verify = self._log, self._letters, self._verifies
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
                case Declined(message=message, children=children):
                    visit.message = message or visit.message
                    if children:
                        self._copy_on(task, visit, stage)
                        self._redirect(candidate, router, children)
                        return
                    try:
                        if await self._has_no_more(visit, router):
                            break
                    except (ExpansionDeferred, ExpansionFailed) as error:
                        self._settle(task, visit, stage, router.postpone(visit, str(error)))
                        return
                    index += 1
                case Passed(to_router=to_router, self_hostname=self_hostname, message=message):
                    visit.message = message or visit.message
                    if self_hostname:
                        visit.found_self(self_hostname)
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
        except UnknownLogin as error:
            visit.log.append(LogLine(str(error), is_panic=True))
            return router.postpone(visit, str(error))
        except (ExpansionDeferred, ExpansionFailed) as error:
            return router.postpone(visit, str(error))

    async def _visit(self, visit: Visit, stage: _Stage) -> RouteResult | str:
        """The router's answer, or why it was skipped. Raises ExpansionFailed, ExpansionDeferred."""
        router = stage.router
        visit.enter(router.name, is_caseful=router.caseful_local_part)
        try:
            for check in stage.checks:
                why = check(visit)
                if why is not None:
                    return why
        except BlockingIOError as wait:
            why = await _check_waiting(visit, stage, wait if isinstance(wait, MustWait) else None)
            if why is not None:
                return why
        if router.settings:
            answer = await router.set_variables(visit)
            if answer is not None:
                return answer
        if router.address_data is not None:
            try:
                visit.address_data = await visit.expand(router.address_data)
            except ForcedFailure:
                return Declined("address_data was forced to fail")
            except (ExpansionDeferred, ExpansionFailed) as error:
                text = f'expansion of "{router.address_data.source}" failed in {router.name} router: {error}'
                return router.postpone(visit, text)
            visit.is_stale = True
        return await router.route(visit)

    async def _has_no_more(self, visit: Visit, router: Router) -> bool:
        if isinstance(router.more, bool):
            return not router.more
        try:
            return not as_bool(await visit.expand(router.more), "more", router.name)
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
                if and_continue:
                    self._copy_on(task, visit, stage)
                    twice = msgspec.structs.replace(
                        candidate,
                        parents=(candidate, *candidate.parents),
                        redirected_by=(router.name, *candidate.redirected_by),
                    )
                    assignment = msgspec.structs.replace(assignment, candidate=twice)
                self._keep((*_identity(candidate), task.copy), assignment)
            case Redirected(children=children, and_continue=and_continue, new_domain=new_domain):
                if new_domain:
                    self._new_domains[candidate.domain] = new_domain
                if and_continue:
                    children = tuple(_below_copy(child) for child in children)
                self._redirect(candidate, router, children)
                if and_continue:
                    self._copy_on(task, visit, stage)
            case Discarded(and_continue=and_continue, word=word):
                self._discarded.append((candidate, router.name, word))
                if and_continue:
                    self._copy_on(task, visit, stage)
            case Refused(children=children) | Postponed(children=children):
                if router.disable_logging:
                    result = msgspec.structs.replace(result, is_unlogged=True)
                self._history.append(Trouble(candidate, result, router.name))
                if children:
                    self._redirect(candidate, router, children)
            case _:
                assert_never(result)

    def _copy_on(self, task: _Task, visit: Visit, stage: _Stage) -> None:
        """`unseen`: a copy, child of the address, goes to the next router, without header changes, with address_data."""
        if stage.place + 1 < len(self._stages):
            candidate = task.candidate
            clean = msgspec.structs.replace(
                candidate,
                parents=(candidate, *candidate.parents),
                redirected_by=(stage.router.name, *candidate.redirected_by),
                headers_add=(),
                headers_remove=(),
                address_data=visit.address_data,
                router_variables=visit.router_variables,
            )
            self._fresh.append(_Task(clean, stage.place + 1, task.copy + 1))

    def _redirect(
        self, candidate: Candidate, router: Router, children: tuple[Candidate | Assignment, ...]
    ) -> None:
        self._generated += len(children)
        if len(candidate.parents) >= MAX_DEPTH or self._generated > MAX_GENERATED:
            reason = Reason(f"redirection of {candidate.address} leads too far or to too many addresses")
            self._history.append(Trouble(candidate, Refused(reason), router.name))
            return
        if self._purpose in ("verify", "verify_sender") and (
            len(children) != 1 or isinstance(children[0], Assignment)
        ):
            self._redirected.append((candidate, router.name))
            return
        for child in children:
            if isinstance(child, Assignment):
                self._generate(child, router)
            else:
                self._fresh.append(_Task(child, self._start(child), 0))

    def _generate(self, assignment: Assignment, router: Router) -> None:
        if self._purpose == "deliver" and (assignment.forbidden or assignment.trouble):
            reason = Reason(assignment.forbidden or assignment.trouble)
            result = Refused(reason) if assignment.forbidden else Postponed(reason)
            self._history.append(Trouble(assignment.candidate, result, router.name))
            return
        # Exim 22.7: files and pipes are the same only below the same parent.
        candidate = assignment.candidate
        parent = _identity(candidate.parents[0]) if candidate.parents else ""
        self._fresh.append(
            _Generated(assignment, (assignment.target, assignment.file, assignment.reply, parent))
        )

    async def _unrouteable(self, visit: Visit, last: Router | None) -> None:
        text = visit.message or UNROUTEABLE
        if not visit.message and last is not None and last.cannot_route_message is not None:
            try:
                text = await visit.expand(last.cannot_route_message) or UNROUTEABLE
            except (ExpansionFailed, ExpansionDeferred):
                text = UNROUTEABLE
        self._history.append(Trouble(visit.candidate, Refused(Reason(text, text)), ""))


def _skipped_as_loop(candidate: Candidate, router: Router) -> str | None:
    """Exim 22.5, 22.8: the same address by the same router; any address when `repeat_use` is off."""
    for parent, redirected_by in zip(candidate.parents, candidate.redirected_by, strict=True):
        if redirected_by == router.name and (
            not router.may_repeat or parent.address.lower() == candidate.address.lower()
        ):
            return f"already redirected {parent.address}"
    return None


async def _check_waiting(visit: Visit, stage: _Stage, wait: MustWait | None) -> str | None:
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
        return await replay(scope, evaluate, wait)
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


def _below_copy(child: Candidate | Assignment) -> Candidate | Assignment:
    """`unseen`: what was redirected has the address twice above it, as it was and as the copy that goes on."""
    if isinstance(child, Assignment):
        return child
    return msgspec.structs.replace(
        child,
        parents=(child.parents[0], *child.parents),
        redirected_by=(child.redirected_by[0], *child.redirected_by),
    )


def _describe(result: RouteResult | str) -> str:
    match result:
        case str():
            return f"skipped: {result}"
        case Assigned(assignment=assignment):
            return f"accepted for {assignment.transport or 'verification'}"
        case Redirected(children=children):
            return f"redirected to {', '.join(child.address for child in children)}"
        case Declined(why=why):
            return f"declined: {why}" if why else "declined"
        case Passed(to_router=to_router):
            return f"passed to {to_router or 'the next router'}"
        case Discarded():
            return "discarded"
        case Refused(reason=reason):
            return f"failed: {reason.log}"
        case Postponed(reason=reason, detail=detail):
            return f"deferred: {reason.log}" + (f" ({detail})" if detail else "")


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
