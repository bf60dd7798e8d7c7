"""The system filter: run for every message before it is routed, at each attempt (Exim chapter 45).

It may add deliveries or put them in place of the recipients, change headers, or end the attempt. What it sets up for itself has the parent
`system-filter`, as in Exim's log.

Known gaps: header lines that it removes go from the -H file too, where Exim keeps them with a `*`; `errors_to` of `deliver` is kept, DSN
parameters are not.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from functools import partial

import msgspec

from pillarbox.flow.facets.delivering import ArrivalFacts, DeliveryFacts
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.queue.notices import recipients_of
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.filter_deliveries import delivery_of
from pillarbox.flow.route.filter_log import write_logs
from pillarbox.flow.route.filtering import MessageBlocks
from pillarbox.flow.route.result import Assignment, Target
from pillarbox.language.expand.conditions.delivery import DeliveryRun
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.expand.taint import is_tainted, plain
from pillarbox.language.expand.template import Template
from pillarbox.language.filter import actions
from pillarbox.language.filter.circumstances import Circumstances
from pillarbox.language.filter.commands import Filter, Permissions
from pillarbox.language.filter.errors import FilterSyntaxError
from pillarbox.language.filter.interpreter import interpret
from pillarbox.language.filter.parser import parse_filter
from pillarbox.language.filter.variables import FilterState
from pillarbox.mail.envelope import Origin, Recipient
from pillarbox.mail.message import Message
from pillarbox.ports.localwork import Actor, LocalWork, WorkRefused
from pillarbox.ports.spool import Queued

PARENT = "system-filter"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How the configuration wants it run. `transports`: by what they carry."""

    file: Template
    transports: Mapping[Target, Template]
    known_transports: frozenset[str]
    actor: Actor | None
    """None: as ourselves."""
    qualify_domain: str


class Filtered(msgspec.Struct, frozen=True, kw_only=True):
    """What is to become of a message. `replaces`: the recipients get nothing. `end`: nothing is delivered at all."""

    message: Message
    candidates: tuple[Candidate, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    replaces: bool = False
    end: actions.End | None = None
    error: str = ""
    log: tuple[str, ...] = ()
    state: FilterState | None = None
    """What users' filters see as `$sn0` to `$sn9`."""


class SystemFilter:
    """One configuration's."""

    __slots__ = ("_facets", "_parsed", "_plan", "_services", "_work")

    def __init__(
        self, plan: Plan, services: Services, work: LocalWork, facets: Mapping[type, object] | None = None
    ) -> None:
        self._plan = plan
        self._services = services
        self._work = work
        self._facets = dict(facets or {})
        self._parsed: tuple[bytes, Filter] | None = None

    async def run(self, queued: Queued, *, is_first: bool) -> Filtered:
        """An error is in the answer: then nothing is to be delivered now."""
        scope = self._scope(queued, is_first)
        try:
            rules = await self._rules(scope)
        except (FilterSyntaxError, ExpansionFailed, ExpansionDeferred, WorkRefused, OSError) as error:
            return self._failed(queued, str(error))
        outcome = await interpret(rules, scope, self._circumstances(queued, is_first))
        if outcome.error:
            return self._failed(queued, outcome.error)
        message = queued.message
        if outcome.headers is not None:
            message = Message(outcome.headers, message.body)
        candidates, assignments = await self._made(outcome, scope, queued)
        trouble = await write_logs(outcome.actions, self._work, self._plan.actor)
        if trouble and self._plan.actor is not None:
            return self._failed(queued, trouble)
        unwritten = (trouble,) if trouble else ()
        end = outcome.end
        if end is not None and end.verb == "freeze" and queued.progress.thawed_by_hand:
            end = None  # an administrator has seen it (Exim 45.7)
        state = FilterState(outcome.numbers)
        if end is not None:
            end, told = _divided(end)
            text = f": {told}" if told and end.verb != "defer" else ""
            return Filtered(
                message=message,
                candidates=candidates,
                assignments=assignments,
                replaces=True,
                end=end,
                log=(_ENDINGS[end.verb] + text, *unwritten),
                state=state,
            )
        log: tuple[str, ...] = ()
        if outcome.is_delivered:
            has_any = candidates or assignments
            log = (
                ("original recipients ignored (system filter)",)
                if has_any
                else ("=> discarded (system filter)",)
            )
        return Filtered(
            message=message,
            candidates=candidates,
            assignments=assignments,
            replaces=outcome.is_delivered,
            log=(*log, *unwritten),
            state=state,
        )

    def _failed(self, queued: Queued, why: str) -> Filtered:
        return Filtered(message=queued.message, error=why, log=(f"Error in system filter: {why}",))

    def _scope(self, queued: Queued, is_first: bool) -> Scope:
        envelope = queued.envelope
        facets: dict[type, object] = {
            **self._facets,
            DeliveryFacts: DeliveryFacts(return_path=queued.envelope.sender or ""),
            Origin: envelope.origin,
            MessageFacts: MessageFacts.of(envelope, queued.message, self._services.clock.now()),
            ArrivalFacts: _arrival(queued),
            DeliveryRun: DeliveryRun(is_first=is_first),
        }
        return Scope(facets, self._services)

    async def _rules(self, scope: Scope) -> Filter:
        """Parsed once, until the file changes."""
        path = await self._plan.file.expand(scope)
        if is_tainted(path):
            raise ExpansionFailed(f"Tainted name '{path}' for file read not permitted")
        found = await self._work.read(plain(path), self._plan.actor)
        if found.error == errno.ENOENT:
            raise WorkRefused(f"{path} does not exist")
        if found.error:
            raise OSError(found.error, f"failed to open {path}")
        if self._parsed is None or self._parsed[0] != found.data:
            text = found.data.decode("utf-8", "surrogateescape")
            self._parsed = (found.data, parse_filter(text, Permissions.system()))
        return self._parsed[1]

    def _circumstances(self, queued: Queued, is_first: bool) -> Circumstances:
        sender = queued.envelope.sender or ""
        return Circumstances(
            headers=MessageBlocks(),
            sender=sender,
            return_path=sender,
            own_addresses=(),
            qualify_domain=self._plan.qualify_domain,
            recipients=tuple(recipients_of(queued)),
            is_first_delivery=is_first,
            is_manually_thawed=queued.progress.thawed_by_hand,
        )

    async def _made(
        self, outcome: actions.Outcome, scope: Scope, queued: Queued
    ) -> tuple[tuple[Candidate, ...], tuple[Assignment, ...]]:
        candidates: list[Candidate] = []
        assignments: list[Assignment] = []
        for action in outcome.actions:
            match action:
                case actions.Deliver(address=address, errors_to=errors_to):
                    made = self._parent().child(address, "", errors_to)
                    candidates.append(msgspec.structs.replace(made, ignores_errors=action.ignores_errors))
                case actions.Save() | actions.Pipe() | actions.Mail():
                    assignments.append(await delivery_of(action, scope, partial(self._delivery, scope)))
                case _:
                    continue
        return tuple(candidates), tuple(assignments)

    def _parent(self) -> Candidate:
        return msgspec.structs.replace(Candidate.make(PARENT, Recipient(PARENT)), local_part=PARENT)

    async def _delivery(self, scope: Scope, kind: Target, target: str) -> Assignment:
        trouble, transport = "", ""
        template = self._plan.transports.get(kind)
        if template is None:
            trouble = f"system_filter_{kind}_transport is unset"
        else:
            try:
                transport = await template.expand(scope)
                if transport not in self._plan.known_transports:
                    trouble = f'failed to find "{transport}" transport for system filter delivery'
            except (ExpansionFailed, ExpansionDeferred) as error:
                trouble = f'failed to expand "{template.source}" (system filter transport name): {error}'
        actor = self._plan.actor
        return Assignment(
            candidate=msgspec.structs.replace(self._parent().child(plain(target), ""), is_generated=True),
            router="",
            transport=plain(transport),
            file=target.removeprefix("|") if kind == "pipe" else target,
            target=kind,
            trouble=trouble,
            user=str(actor.uid) if actor is not None else "",
            group=str(actor.gid) if actor is not None else "",
        )


def _divided(end: actions.End) -> tuple[actions.End, str]:
    """`<<for the log>>for the sender` (Exim 47.5): the end with the sender's text, and the log's."""
    if not end.text.startswith("<<") or ">>" not in end.text:
        return end, end.text
    told, _, text = end.text[2:].partition(">>")
    return actions.End(end.verb, text), told


_ENDINGS = {
    "fail": "cancelled by system filter",
    "freeze": "Frozen by the system filter",
    "defer": "Delivery deferred by system filter",
}


def _arrival(queued: Queued) -> ArrivalFacts:
    origin = queued.envelope.origin
    is_local = origin.caller_uid >= 0
    return ArrivalFacts(
        recipients=tuple(recipients_of(queued)),
        originator_uid=origin.caller_uid if is_local else os.getuid(),
        originator_gid=origin.caller_gid if is_local else os.getgid(),
    )
