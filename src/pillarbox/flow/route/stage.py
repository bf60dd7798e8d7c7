"""One router's turn at an address: its preconditions, what it sets, and its answer (Exim 3.10, 3.12)."""

from __future__ import annotations

from typing import NamedTuple

from pillarbox.flow.route.ancestry import skipped_as_loop
from pillarbox.flow.route.logins import UnusableLogin
from pillarbox.flow.route.preconditions import Check
from pillarbox.flow.route.result import Declined, LogLine, RouteResult
from pillarbox.flow.route.router import NoTransport, Router
from pillarbox.flow.route.visit import Visit, as_bool
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import MustWait, Scope, replay


class Stage(NamedTuple):
    """A router, and the tests it has for one purpose."""

    place: int
    router: Router
    checks: tuple[Check, ...]

    async def result(self, visit: Visit) -> RouteResult | str:
        """The router's answer, or why it was skipped. Trouble with expansions and lookups postpones (Exim 3.10)."""
        candidate, router = visit.candidate, self.router
        if candidate.parents and (why := skipped_as_loop(candidate, router)) is not None:
            return why
        try:
            visit.enter(router.name, is_caseful=router.caseful_local_part)
            try:
                for check in self.checks:
                    skipped = check(visit)
                    if skipped is not None:
                        return skipped
            except BlockingIOError as wait:
                skipped = await self._check_waiting(visit, wait)
                if skipped is not None:
                    return skipped
            if router.settings or router.address_data is not None:
                answer = await self._set(visit)
                if answer is not None:
                    return answer
            return await router.route(visit)
        except UnusableLogin as error:
            visit.log.append(LogLine(str(error), is_panic=True))
            return router.postpone(visit, str(error), error="expansion")
        except NoTransport as error:
            return router.postpone(visit, str(error), error="transport")
        except (ExpansionDeferred, ExpansionFailed) as error:
            return router.postpone(visit, str(error), error="expansion")

    async def _set(self, visit: Visit) -> RouteResult | str | None:
        """`set` and `address_data`; an answer where they end the router's turn. Raises ExpansionFailed, ExpansionDeferred."""
        router = self.router
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
                return router.postpone(visit, text, error="expansion")
            visit.is_stale = True
        return None

    async def _check_waiting(self, visit: Visit, wait: BlockingIOError) -> str | None:
        """All tests again, waiting for what is not in memory; each is plain code that is replayed with the answer at hand."""
        scope, router = visit.scope_now, self.router

        def evaluate(run: Scope) -> str | None:
            visit.scope_now = run
            visit.enter(router.name, is_caseful=router.caseful_local_part)
            for check in self.checks:
                why = check(visit)
                if why is not None:
                    return why
            return None

        try:
            return await replay(scope, evaluate, wait if isinstance(wait, MustWait) else None)
        finally:
            visit.scope_now = scope
            visit.is_stale = True

    async def has_no_more(self, visit: Visit) -> bool:
        """`no_more`. Raises ExpansionFailed, ExpansionDeferred."""
        router = self.router
        if isinstance(router.more, bool):
            return not router.more
        try:
            return not as_bool(await visit.expand(router.more), "more", router.name)
        except ForcedFailure:
            return False
