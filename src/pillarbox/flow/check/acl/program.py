"""A compiled ACL, and running it (Exim chapter 44).

Statements are tried in order. What a statement does depends on its verb and on whether all its conditions hold. Modifiers take effect as
they are reached, but `message` and `log_message` are expanded only when the statement decides, so they may use what its conditions
found out. At the end of the ACL stands an implicit `deny`; its texts are those that the last statement has left over. Which text goes where
was asked of Exim 4.100.
"""

from __future__ import annotations

from typing import Literal, assert_never

import msgspec

from pillarbox.flow.check.acl.condition import Condition, Modifier
from pillarbox.flow.check.acl.decision import (
    Discarded,
    Dropped,
    describe,
    warn,
)
from pillarbox.flow.check.acl.forbidden import CONDITIONS as FORBIDDEN_CONDITIONS
from pillarbox.flow.check.acl.forbidden import MODIFIERS as FORBIDDEN_MODIFIERS
from pillarbox.flow.check.acl.forbidden import check_condition, check_modifier, permitted, permitted_of
from pillarbox.flow.check.acl.sender_failure import tell_of_sender
from pillarbox.flow.check.acl.state import AclState, CheckDeferred, CheckFailed, Unmet
from pillarbox.flow.check.verdict import Accept, Defer, Deny, Discard, Drop, Verdict
from pillarbox.flow.facets.authentication import SpfFacts
from pillarbox.flow.facets.session import ListFacts
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.mail.reply import Reason
from pillarbox.wire.exim.log_line import host_and_ident

Verb = Literal["accept", "defer", "deny", "discard", "drop", "require", "warn"]
VERBS: tuple[Verb, ...] = ("accept", "defer", "deny", "discard", "drop", "require", "warn")
MAX_DEPTH = 20
"""ACLs that call ACLs (Exim's own bound)."""
NOTHING = Reason("")


class Test(msgspec.Struct, frozen=True):
    """One condition line."""

    condition: Condition
    is_negated: bool
    position: str


class Endpass(msgspec.Struct, frozen=True):
    """`endpass`: from here on a failing condition of `accept` or `discard` denies."""


Line = Test | Modifier | Endpass


class Statement(msgspec.Struct, frozen=True):
    verb: Verb
    lines: tuple[Line, ...]
    position: str
    """file:line of the verb."""


class Acl(msgspec.Struct, frozen=True):
    name: str
    statements: tuple[Statement, ...]
    only_asks: bool = False
    """No line of it changes anything, so it may be run twice."""

    def __post_init__(self) -> None:
        only_asks = all(isinstance(line, Test) for statement in self.statements for line in statement.lines)
        msgspec.structs.force_setattr(self, "only_asks", only_asks)

    def decides_nothing_now(self, state: AclState) -> None:
        """Returns when no statement decides, by answers that are in memory: then the verdict is the implicit `deny`, without texts. Raises
        BlockingIOError when it must be run. Only for those that `only_asks`."""
        if state.depth >= MAX_DEPTH:
            raise BlockingIOError
        state.depth += 1
        try:
            for statement in self.statements:
                if _ask(statement, state) is not _FAILED or not _is_silent(statement, state):
                    raise BlockingIOError
        finally:
            state.depth -= 1

    async def run(self, state: AclState) -> Verdict:
        """The verdict; never raises for what the configuration or the world does."""
        if state.depth >= MAX_DEPTH:
            return Defer(Reason("ACL nested too deep: possible loop"))
        outermost = state.scope if state.depth == 0 else None
        if outermost is not None:
            lists = state.memory.lists
            lists.domain = lists.local_part = ""
            state.scope = outermost.with_facets({AclState: state, ListFacts: lists})  # the former for `${acl`
            if state.memory.spf is not None:
                state.scope = state.scope.with_facet(SpfFacts, state.memory.spf)
        state.depth += 1
        outer_name, state.acl_name = state.acl_name, self.name
        try:
            verdict = await self._decide(state)
            return verdict if outermost is None else tell_of_sender(permitted(verdict, state), state)
        finally:
            state.depth -= 1
            state.acl_name = outer_name
            state.has_called = True
            if outermost is not None:
                state.scope = outermost

    async def _decide(self, state: AclState) -> Verdict:
        state.left_over = None
        for statement in self.statements:
            failed = _ask(statement, state)
            if failed is _FAILED and _is_silent(statement, state):
                continue
            verdict = await _decided(statement, state, failed)
            if verdict is not None:
                return permitted_of(statement.verb, verdict, state)
        return Deny(state.left_over or NOTHING)


class _Failed(msgspec.Struct, frozen=True, gc=False):
    """A condition did not hold."""

    is_past_endpass: bool
    is_drop: bool = False
    """An ACL that was called says `drop`."""


_FAILED = _Failed(is_past_endpass=False)


def _ask(statement: Statement, state: AclState) -> _Failed | int | None:
    """As `_test_now`. What goes wrong is asked again by `_decided`, which knows what to say."""
    state.message = state.log_message = state.own = state.left_over = None
    state.has_called = False
    try:
        return _test_now(statement.lines, state)
    except (Discarded, CheckDeferred, ExpansionDeferred, ExpansionFailed, CheckFailed):
        return 0


def _is_silent(statement: Statement, state: AclState) -> bool:
    """A statement that does not decide leaves no texts over."""
    if state.own is not None or statement.verb == "require":
        return False
    return statement.verb not in ("accept", "discard") or (state.message or state.log_message) is None


async def run_statement(statement: Statement, state: AclState) -> Verdict | None:
    """What the statement decides; None: the next one is asked."""
    return await _decided(statement, state, _ask(statement, state))


async def _decided(statement: Statement, state: AclState, failed: _Failed | int | None) -> Verdict | None:
    """`failed`: what `_ask` has found."""
    try:
        if isinstance(failed, int):
            failed = await _test_lines(statement.lines, state, failed)
        if failed is None:
            return await _passed(statement, state)
        return await _not_passed(statement, state, failed)
    except Discarded as discarded:
        return _discarded(statement, discarded)
    except CheckDeferred as error:
        return _deferred(statement, state, error.reason)
    except ExpansionDeferred as error:
        return _deferred(statement, state, Reason(str(error)))
    except (ExpansionFailed, CheckFailed) as error:
        return Defer(Reason(str(error)), is_mistake=True)


def _test_now(lines: tuple[Line, ...], state: AclState) -> _Failed | int | None:
    """What most statements come to, by answers that are in memory. A number: of the line where `_test_lines` has to go on."""
    for number, line in enumerate(lines):
        if isinstance(line, Test):
            condition = line.condition
            if state.where in FORBIDDEN_CONDITIONS.get(condition.name, ()):
                return number
            try:
                answer = condition.holds_now(state)
            except (BlockingIOError, Dropped, ForcedFailure):
                return number
            if isinstance(answer, Reason):
                state.own = answer
            if (answer is True) == line.is_negated:
                return _FAILED
        elif isinstance(line, Endpass) or not line.is_prompt:
            return number
        else:
            line.apply_now(state)
    return None


async def _test_lines(lines: tuple[Line, ...], state: AclState, start: int) -> _Failed | None:
    """The lines from `start` on. None: all conditions hold."""
    is_past_endpass = False
    for line in lines[start:]:
        try:
            if isinstance(line, Test):
                condition = line.condition
                if condition.name in FORBIDDEN_CONDITIONS:
                    check_condition(condition.name, state.where)
                if condition.always_waits:
                    answer = await condition.holds(state)
                else:
                    try:
                        answer = condition.holds_now(state)
                    except BlockingIOError:
                        answer = await condition.holds(state)
                if isinstance(answer, Reason):
                    state.own = answer
                if (answer is True) == line.is_negated:
                    return _Failed(is_past_endpass)
            elif isinstance(line, Endpass):
                is_past_endpass = True
            else:
                if line.name in FORBIDDEN_MODIFIERS:
                    check_modifier(line.name, state.where)
                await line.apply(state)
        except Dropped as dropped:
            state.own = dropped.reason
            if not (isinstance(line, Test) and line.is_negated):
                return _Failed(is_past_endpass, is_drop=True)
        except Unmet as unmet:
            state.own = unmet.reason
            return _Failed(is_past_endpass)
        except ForcedFailure:
            continue  # Exim 44.11: as if the line were not there
    return None


async def _passed(statement: Statement, state: AclState) -> Verdict | None:
    match statement.verb:
        case "accept":
            if state.message is None and state.log_message is None:
                return Accept()
            if any(isinstance(line, Endpass) for line in statement.lines):
                state.message = None  # it is for the denial
            return Accept((await describe(state, says_own=False)).peer)
        case "deny":
            return Deny(await describe(state))
        case "defer":
            return Defer(await describe(state))
        case "drop":
            return Drop(await describe(state))
        case "discard":
            if any(isinstance(line, Endpass) for line in statement.lines):
                state.message = None
            return Discard(await describe(state, says_own=False))
        case "warn":
            await warn(state)
            return None
        case "require":
            state.left_over = state.own
            return None
        case _ as unreachable:
            assert_never(unreachable)


async def _not_passed(statement: Statement, state: AclState, failed: _Failed) -> Verdict | None:
    if statement.verb not in ("accept", "discard", "require"):
        state.left_over = None if statement.verb == "warn" else state.own
        return None
    reason = await describe(state)
    if statement.verb == "require" or failed.is_past_endpass:
        return Drop(reason) if failed.is_drop else Deny(reason)
    state.left_over = reason
    return None


def _discarded(statement: Statement, discarded: Discarded) -> Verdict:
    if statement.verb in ("accept", "discard"):
        return Discard(discarded.reason)
    return Defer(
        Reason(
            f'nested ACL returned "discard" for "{statement.verb}" command (only allowed with "accept" or "discard")'
        )
    )


def _deferred(statement: Statement, state: AclState, reason: Reason) -> Verdict | None:
    if statement.verb == "warn":
        if state.services.log_style.shows("acl_warn_skipped"):
            why = f": {reason.log}" if reason.log else ""
            file, _, number = statement.position.rpartition(":")
            place = f"in ACL {state.acl_name}{'' if state.has_called else f' at line {number} of {file}'}"
            what = f"Warning: ACL 'warn' statement skipped ({place}): condition test deferred{why}"
            state.log(
                f"{host_and_ident(state.connection, state.services.log_style)} {what}",
                state.services.log.main,
            )
        return None
    return Defer(reason)
