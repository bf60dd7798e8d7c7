"""A compiled ACL, and running it (Exim chapter 43).

Statements are tried in order. What a statement does depends on its verb and on whether all its conditions hold; modifiers take effect
as they are reached, so `message` speaks for the conditions behind it. At the end of the ACL stands an implicit `deny`.
"""

from __future__ import annotations

from typing import Literal, assert_never

import msgspec

from pillarbox.flow.check.acl.condition import Answer, Condition, Modifier
from pillarbox.flow.check.acl.state import AclState, CheckDeferred
from pillarbox.flow.check.verdict import Accept, Defer, Deny, Discard, Drop, Verdict
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.mail.reply import Reason

Verb = Literal["accept", "defer", "deny", "discard", "drop", "require", "warn"]
VERBS: tuple[Verb, ...] = ("accept", "defer", "deny", "discard", "drop", "require", "warn")
MAX_DEPTH = 20
"""ACLs that call ACLs (Exim's own bound)."""


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

    async def run(self, state: AclState) -> Verdict:
        """The verdict; never raises for what the configuration or the world does."""
        if state.depth >= MAX_DEPTH:
            return Defer(Reason(f"acl {self.name}: more than {MAX_DEPTH} ACLs deep"))
        state.depth += 1
        try:
            for statement in self.statements:
                verdict = await _run_statement(statement, state)
                if verdict is not None:
                    return verdict
        finally:
            state.depth -= 1
        return Deny(Reason("", ""))


class _Failed(msgspec.Struct, frozen=True):
    """A condition did not hold. `reason`: its own texts, if it has any."""

    reason: Reason | None
    is_past_endpass: bool


async def _run_statement(statement: Statement, state: AclState) -> Verdict | None:
    state.message = state.log_message = ""
    try:
        failed = await _test_lines(statement.lines, state)
    except (CheckDeferred, ExpansionDeferred, ExpansionFailed) as error:
        return _deferred(statement, state, error)
    return _passed(statement, state) if failed is None else _not_passed(statement, state, failed)


async def _test_lines(lines: tuple[Line, ...], state: AclState) -> _Failed | None:
    is_past_endpass = False
    for line in lines:
        match line:
            case Test():
                answer = await _ask(line.condition, state)
                if (answer is True) == line.is_negated:
                    return _Failed(answer if isinstance(answer, Reason) else None, is_past_endpass)
            case Endpass():
                is_past_endpass = True
            case Modifier():
                await line.apply(state)
            case _ as unreachable:
                assert_never(unreachable)
    return None


async def _ask(condition: Condition, state: AclState) -> Answer:
    try:
        return condition.holds_now(state)
    except BlockingIOError:
        return await condition.holds(state)


def _passed(statement: Statement, state: AclState) -> Verdict | None:
    reason = Reason(state.log_message, state.message)
    match statement.verb:
        case "accept":
            return Accept(state.message)
        case "deny":
            return Deny(reason)
        case "defer":
            return Defer(reason)
        case "drop":
            return Drop(reason)
        case "discard":
            return Discard(reason)
        case "warn":
            if state.log_message:
                state.services.log.main(f"H={_host(state)} Warning: {state.log_message}")
            return None
        case "require":
            return None
        case _ as unreachable:
            assert_never(unreachable)


def _not_passed(statement: Statement, state: AclState, failed: _Failed) -> Verdict | None:
    verb = statement.verb
    if verb == "require" or (verb in ("accept", "discard") and failed.is_past_endpass):
        own = failed.reason or Reason("")
        return Deny(Reason(state.log_message or own.log or state.message, state.message or own.peer))
    return None


def _deferred(
    statement: Statement, state: AclState, error: CheckDeferred | ExpansionDeferred | ExpansionFailed
) -> Verdict | None:
    reason = error.reason if isinstance(error, CheckDeferred) else Reason(f"{statement.position}: {error}")
    if statement.verb == "warn":
        state.services.log.main(f'H={_host(state)} Warning: ACL "warn" statement skipped: {reason.log}')
        return None
    return Defer(reason)


def _host(state: AclState) -> str:
    return f"[{state.connection.host_address}]"
