"""The chain: an address goes from router to router until one decides, and so does whatever it is redirected to.

A worklist with ancestry (`run.py`). A router is skipped when an ancestor that is the same address was redirected by it (Exim 22.5), so
loops end; numbers and depth are bounded besides. Within one message an address is delivered to once, however many ways lead to it
(Exim 3.11, 22.7).

`purpose="verify"` and `"verify_sender"`: a redirection to exactly one address goes on with that; any other redirection is a success
(Exim 43.47). The address is good when the result has neither `refused` nor `postponed`.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from pillarbox.config.errors import ConfigError, Problem
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate, Purpose
from pillarbox.flow.route.looks import Companions
from pillarbox.flow.route.preconditions import compile_checks, shared_domains
from pillarbox.flow.route.result import HeldBack, Routed
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.run import Run
from pillarbox.flow.route.services import RouteServices
from pillarbox.flow.route.stage import Stage
from pillarbox.flow.route.trace import Trace
from pillarbox.flow.route.visit import base_scope
from pillarbox.language.expand.scope import Scope
from pillarbox.language.filter.variables import FilterState
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message


class Chain:
    """The routers of one configuration, ready to run."""

    __slots__ = ("_index", "_stages", "companions", "services")

    def __init__(self, routers: Sequence[Router], services: RouteServices) -> None:
        """Raises ConfigError when a router names another that does not exist or, for `pass_router`, does not stand below."""
        self.services = services
        self.companions = Companions()
        self._index = {router.name: index for index, router in enumerate(routers)}
        _check_names(routers, self._index)
        shared = shared_domains(routers)
        self._stages: dict[Purpose, tuple[Stage, ...]] = {
            purpose: tuple(
                Stage(index, router, compile_checks(router, purpose, shared))
                for index, router in enumerate(routers)
            )
            for purpose in ("deliver", "verify", "verify_sender", "expn", "test")
        }

    async def route(
        self,
        candidate: Candidate,
        purpose: Purpose,
        scope: Scope,
        trace: Trace | None = None,
        *,
        follows_all: bool = False,
    ) -> Routed:
        """Where does this address go, with all that it is redirected to? `scope` holds the facts of connection and message.
        `follows_all`: verifying goes on with all that a redirection leads to (`-bv -v`)."""
        run = Run(self, purpose, scope, trace, follows_all=follows_all)
        await run.route_in_turn(candidate)
        return run.findings.answer(is_delivery=purpose == "deliver")

    async def route_for_delivery(
        self,
        candidates: Sequence[Candidate],
        envelope: Envelope,
        message: Message,
        *,
        filter_state: FilterState | None = None,
        held_back: HeldBack | None = None,
        done: Set[str] = frozenset(),
    ) -> list[Routed]:
        """Answers that together tell of all candidates; of what several lead to there is one assignment. `filter_state`: the system
        filter's numbers. `held_back`: asked about what the candidates lead to. `done`: what is not come back to there."""
        facts = MessageFacts.of(envelope, message, self.services.language.clock.now())
        scope = base_scope(self.services, envelope.origin, facts)
        if filter_state is not None:
            scope = scope.with_facet(FilterState, filter_state)
        run = Run(self, "deliver", scope, None, held_back, done=done)
        await run.route_in_rounds(candidates)
        return [run.findings.answer(is_delivery=True, goes_backwards=True)]

    def stages(self, purpose: Purpose) -> tuple[Stage, ...]:
        return self._stages[purpose]

    def index_of(self, router: str) -> int:
        """0 for the empty name: the first router."""
        return self._index[router] if router else 0


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
