"""The routing of one message's addresses, or of one that is asked about, and of all that they lead to."""

from __future__ import annotations

from collections.abc import Sequence, Set
from copy import copy
from typing import TYPE_CHECKING, NamedTuple, assert_never

import msgspec

from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.ancestry import below_copy, below_itself, beside_copy, identity, served_by
from pillarbox.flow.route.candidate import Candidate, Purpose
from pillarbox.flow.route.done_names import unique_name
from pillarbox.flow.route.findings import Findings
from pillarbox.flow.route.looks import Looks
from pillarbox.flow.route.percent_hack import meant_by
from pillarbox.flow.route.result import (
    Assigned,
    Assignment,
    Declined,
    Discarded,
    HeldBack,
    Passed,
    Postponed,
    Redirected,
    Refused,
)
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.stage import Stage
from pillarbox.flow.route.trace import Met, Trace, describe
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.reply import Reason

if TYPE_CHECKING:
    from pillarbox.flow.route.chain import Chain

MAX_GENERATED = 50_000
"""Addresses that one message's recipients may lead to."""
MAX_DEPTH = 50
"""Redirections in a row."""
UNROUTEABLE = "Unrouteable address"


class _Task(NamedTuple):
    candidate: Candidate
    start: int
    copy: int
    """How many `unseen` copies before this one have the same address."""


class _Generated(NamedTuple):
    """A delivery that redirection made. Equal `key`: the same one."""

    assignment: Assignment
    key: object


_Waiting = list[_Task | _Generated]


class Run:
    __slots__ = (
        "_chain", "_done", "_findings", "_fresh", "_generated", "_held_back", "_looks", "_purpose", "_scope", "_stages",
        "_stops_at_several", "_trace", "_unusable", "_verified",
    )  # fmt: skip

    def __init__(
        self,
        chain: Chain,
        purpose: Purpose,
        scope: Scope,
        trace: Trace | None,
        held_back: HeldBack | None = None,
        *,
        done: Set[str] = frozenset(),
        follows_all: bool = False,
    ) -> None:
        """`held_back`: asked about what the first candidates lead to. `done`: addresses that are not come back to."""
        self._held_back = held_back
        self._done = done
        self._stops_at_several = purpose in ("verify", "verify_sender") and not follows_all
        self._chain = chain
        self._purpose = purpose
        self._stages: Sequence[Stage] = chain.stages(purpose)
        self._scope = scope
        self._trace = trace
        self._generated = 0
        self._unusable: set[object] = set()
        """Deliveries of redirection that failed or wait already, as they are known from one another."""
        self._fresh: _Waiting = []
        """What a router has just made, to be seen to."""
        self._findings = Findings()
        self._looks = Looks(chain.companions)
        self._verified: dict[str, bool] = {}

    @property
    def findings(self) -> Findings:
        return self._findings

    async def route_in_turn(self, candidate: Candidate) -> None:
        """An address, then what it leads to before anything else: for questions, as Exim answers them."""
        waiting: _Waiting = [_Task(candidate, self._start(candidate), 0)]
        while waiting:
            task = waiting.pop(0)
            if isinstance(task, _Generated):
                self._keep_generated(task)
            else:
                await self._route_one(task)
                waiting[:0] = self._fresh
                self._fresh = []

    async def route_in_rounds(self, candidates: Sequence[Candidate]) -> None:
        """All addresses, then all that they lead to: for deliveries. The order is Exim's, which decides which of several ways to the
        same address is the one that counts: each round backwards, and what the routers made is put in front."""
        waiting: _Waiting = [_Task(candidate, self._start(candidate), 0) for candidate in candidates]
        while waiting:
            self._fresh = []
            for each in waiting:
                if isinstance(each, _Generated):
                    self._keep_generated(each)
            for task in reversed(waiting):
                if isinstance(task, _Task):
                    made, self._fresh = self._fresh, []
                    await self._route_one(task)
                    self._fresh += made
            waiting = self._fresh

    async def _verifies(self, address: str) -> bool:
        """Of a router's `errors_to` (Exim 15): verified as a recipient, once, of a message from the null sender."""
        good = self._verified.get(address)
        if good is None:
            scope = self._scope
            facts = copy(scope.facet(MessageFacts))
            if facts is not None and facts.sender:
                facts.sender = None
                scope = scope.with_facet(MessageFacts, facts)
            routed = await self._chain.route(Candidate.first(Recipient(address)), "verify", scope)
            good = self._verified[address] = not (routed.refused or routed.postponed)
        return good

    def _start(self, candidate: Candidate) -> int:
        return self._chain.index_of(candidate.start_router)

    def _keep(self, key: object, assignment: Assignment) -> None:
        self._note_duplicate(key, assignment)
        self._findings.keep(key, assignment)

    def _keep_generated(self, made: _Generated) -> None:
        assignment = made.assignment
        if self._purpose == "deliver" and (assignment.forbidden or assignment.trouble):
            if made.key not in self._unusable:
                self._unusable.add(made.key)
                self._cannot_deliver(assignment)
            return
        self._note_duplicate(made.key, made.assignment)
        self._findings.keep_generated(made.key, made.assignment)

    def _cannot_deliver(self, assignment: Assignment) -> None:
        """The router forbids it, or it has no transport."""
        result: Refused | Postponed
        if assignment.forbidden:
            result = Refused(Reason(assignment.forbidden), transport=assignment.transport)
        else:
            result = Postponed(Reason(assignment.trouble))
        self._findings.trouble(assignment.candidate, result, assignment.router)

    def _note_duplicate(self, key: object, assignment: Assignment) -> None:
        if self._trace is not None and self._findings.has(key):
            self._note(assignment.candidate, "a duplicate: it is delivered once")

    def _note(self, candidate: Candidate, said: str, router: str = "") -> None:
        if self._trace is not None:
            self._trace.append(Met(candidate, router, said))

    def _note_said(self, candidate: Candidate, router: Router, logged: int) -> None:
        """Its `debug_print`, behind the first `logged` lines."""
        for line in self._findings.log[logged:]:
            if line.is_debug:
                self._note(candidate, f"says: {line.text}", router.name)

    async def _is_left_alone(self, candidate: Candidate) -> bool:
        """It is done, or its time has not come, which is noted."""
        if candidate.address in self._done:
            self._note(candidate, "it was delivered before")
            return True
        postponed = await self._held_back(candidate) if self._held_back is not None else None
        if postponed is not None:
            self._findings.trouble(candidate, postponed, "")
        return postponed is not None

    async def _route_one(self, task: _Task) -> None:
        """Through the routers from `task.start`; ends with more findings, or new tasks."""
        findings = self._findings
        if task.candidate.parents and await self._is_left_alone(task.candidate):
            return
        if (hack := self._chain.services.percent_hack) is not None and "%" in task.candidate.local_part:
            try:
                task = task._replace(candidate=await meant_by(task.candidate, hack, self._scope))
            except (ExpansionDeferred, ExpansionFailed) as error:
                findings.trouble(task.candidate, Postponed(Reason(str(error))), "")
                return
        candidate = task.candidate
        visit = Visit(candidate, self._purpose, self._scope, self._chain.services, self._looks)
        visit.log, visit.letters, visit.verify = findings.log, findings.letters, self._verifies
        last: Router | None = None
        index, end = task.start, len(self._stages)
        while index < end:
            stage = self._stages[index]
            last = router = stage.router
            logged = len(findings.log)
            result = await stage.result(visit)
            findings.address_data = visit.address_data
            if self._trace is not None:
                self._note_said(candidate, router, logged)
                self._note(candidate, describe(result, router, visit), router.name)
            match result:
                case str():
                    index += 1
                case Declined(message=message, children=children):
                    visit.message = message or visit.message
                    visit.is_message_told = visit.is_message_told or bool(message)
                    if children:
                        if self._is_last(stage):
                            await self._unrouteable(visit, router)
                        self._copy_on(task, visit, stage)
                        self._redirect(candidate, router, tuple(map(beside_copy, children)))
                        return
                    try:
                        if await stage.has_no_more(visit):
                            self._note(candidate, "no_more: no router below is asked", router.name)
                            break
                    except (ExpansionDeferred, ExpansionFailed) as error:
                        self._settle(task, visit, stage, router.postpone(visit, str(error)))
                        return
                    index += 1
                case Passed(to_router=to_router, self_hostname=self_hostname, message=message):
                    visit.message = message or visit.message
                    visit.is_message_told = visit.is_message_told and not message
                    if self_hostname:
                        visit.found_self(self_hostname)
                    index = self._chain.index_of(to_router) if to_router else index + 1
                case _:
                    self._settle(task, visit, stage, result)
                    return
        await self._unrouteable(visit, last)

    def _settle(
        self,
        task: _Task,
        visit: Visit,
        stage: Stage,
        result: Assigned | Redirected | Discarded | Refused | Postponed,
    ) -> None:
        candidate, router = task.candidate, stage.router
        match result:
            case Assigned(assignment=assignment, and_continue=and_continue):
                if and_continue and not self._is_last(stage):
                    self._copy_on(task, visit, stage)
                    assignment = msgspec.structs.replace(
                        assignment, candidate=served_by(candidate, router.name)
                    )
                self._keep((*identity(candidate), task.copy), assignment)
            case Redirected(children=children, and_continue=and_continue, new_domain=new_domain):
                if new_domain:
                    self._findings.new_domains[candidate.domain] = new_domain
                if and_continue and not self._is_last(stage):
                    children = tuple(below_copy(child) for child in children)
                if and_continue:  # before its children, as in Exim: it decides about the order of deliveries
                    self._copy_on(task, visit, stage)
                self._redirect(candidate, router, children)
            case Discarded(and_continue=and_continue, word=word):
                self._findings.discarded.append((candidate, router.name, word))
                if and_continue:
                    self._copy_on(task, visit, stage)
            case Refused(children=children) | Postponed(children=children):
                if router.disable_logging:
                    result = msgspec.structs.replace(result, is_unlogged=True)
                self._findings.trouble(_as_seen(visit), result, router.name)
                if children:
                    self._redirect(candidate, router, children)
            case _:
                assert_never(result)

    def _is_last(self, stage: Stage) -> bool:
        return stage.place + 1 == len(self._stages)

    def _copy_on(self, task: _Task, visit: Visit, stage: Stage) -> None:
        """`unseen`: a copy, child of the address, goes to the next router, without header changes, with address_data."""
        if not self._is_last(stage):
            clean = msgspec.structs.replace(
                below_itself(task.candidate, stage.router.name, is_caseful=stage.router.caseful_local_part),
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
            text = f"redirection of {candidate.address} leads too far or to too many addresses"
            self._note(candidate, f"failed: {text}", router.name)
            self._findings.trouble(candidate, Refused(Reason(text)), router.name)
            return
        if self._purpose == "expn":
            self._findings.made += children
            return
        if self._stops_at_several and (len(children) != 1 or isinstance(children[0], Assignment)):
            self._note(candidate, "good: it is not verified where several addresses, a file or a pipe lead")
            self._findings.redirected.append((candidate, router.name))
            return
        for child in children:
            if isinstance(child, Assignment):
                self._generate(child)
            else:
                self._fresh.append(_Task(child, self._start(child), 0))

    def _generate(self, assignment: Assignment) -> None:
        # Exim 22.7: files and pipes are the same only below the same parent, answers never.
        parent = unique_name(assignment.candidate.parents[0])
        key = (assignment.target, assignment.file, object() if assignment.reply else None, parent)
        self._fresh.append(_Generated(assignment, key))

    async def _unrouteable(self, visit: Visit, last: Router | None) -> None:
        text = visit.message or UNROUTEABLE
        if not visit.message and last is not None and last.cannot_route_message is not None:
            try:
                text = await visit.expand(last.cannot_route_message) or UNROUTEABLE
            except (ExpansionFailed, ExpansionDeferred):
                text = UNROUTEABLE
        self._note(visit.candidate, f"no router takes it: {text}")
        told = text if visit.is_message_told or self._purpose != "deliver" else ""
        self._findings.trouble(_as_seen(visit), Refused(Reason(text, told)), "")


def _as_seen(visit: Visit) -> Candidate:
    """With the local part that the last router looked at, without its affixes: the log tells that one."""
    candidate = visit.candidate
    if visit.local_part == candidate.local_part:
        return candidate
    return msgspec.structs.replace(candidate, local_part=visit.local_part)
