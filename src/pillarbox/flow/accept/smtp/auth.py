"""AUTH (RFC 4954; Exim chapter 33): the exchange is the authenticator's, the lines are ours."""

from __future__ import annotations

from typing import assert_never

import msgspec

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.events import tell
from pillarbox.flow.accept.failed_login import log_failed_login
from pillarbox.flow.accept.judging import JudgedExchange
from pillarbox.flow.accept.refusing import log_rejection, refuse
from pillarbox.flow.accept.session import Session
from pillarbox.flow.accept.smtp.helo import protocol_name
from pillarbox.flow.accept.verbs import verb
from pillarbox.flow.check.verdict import Accept
from pillarbox.mail.reply import Reply
from pillarbox.ports.logins import Challenge, Failure, Success
from pillarbox.wire.smtp.events import Auth, AuthCancelled, AuthResponse

ANSWERS = {
    "credentials": Reply(535, "Incorrect authentication data", "5.7.8"),
    "malformed": Reply(501, "Invalid authentication data", "5.5.2"),
    "unexpected": Reply(553, "Initial data not expected", "5.5.4"),
    "throttled": Reply(454, "Too many failed logins, try again later", "4.7.0"),
    "temporary": Reply(435, "Unable to authenticate at present", "4.7.0"),
}
CANCELLED = Reply(501, "Authentication cancelled")


@verb(Auth)
async def handle(session: Session, event: Auth) -> None:
    session.live.authentication_failed = 1  # until it is known better
    verdict = await run_acl(session, "auth", session.new_scope())
    if not isinstance(verdict, Accept):
        refuse(session, f"AUTH {event.mechanism}", verdict, code=503)
        return
    if event.problem is not None and event.refusal is not None:
        session.engine.refuse(event.problem, event.refusal)
        return
    driver = next((a for a in session.policy.authenticators if a.mechanism == event.mechanism), None)
    bindings = session.stream.channel_bindings()
    exchange = (
        driver.begin_in(session.new_scope(), session.services.logins, session.origin.host_address, bindings)
        if driver
        else None
    )
    if driver is None or exchange is None:
        session.reply(Reply(504, f"{event.mechanism} authentication mechanism not supported", "5.5.4"))
        return
    session.exchange, session.exchange_name = exchange, driver.name
    await _step(session, event.initial)


@verb(AuthResponse)
async def handle_response(session: Session, event: AuthResponse) -> None:
    await _step(session, event.data)


@verb(AuthCancelled)
async def handle_cancelled(session: Session, event: AuthCancelled) -> None:
    if isinstance(session.exchange, JudgedExchange):
        session.exchange.abandon()
    await log_failed_login(session, "", CANCELLED)


async def _step(session: Session, response: bytes | None) -> None:
    assert session.exchange is not None
    step = await session.exchange.step(response)
    match step:
        case Challenge(data=data, is_text=True):
            session.reply(Reply(334, data.decode("ascii")))
        case Challenge(data=data):
            session.engine.challenge(data)
        case Success(name=name):
            _succeed(session, name)
        case Failure():
            await _fail(session, step)
        case _ as unreachable:
            assert_never(unreachable)


async def _fail(session: Session, failure: Failure) -> None:
    session.exchange = None
    session.live.authentication_failed = 1
    session.live.authenticated_fail_id = failure.name
    answer = ANSWERS[failure.kind]
    why = f": {failure.log}" if failure.kind not in ("credentials", "malformed", "unexpected") else ""
    who = f" (set_id={failure.name})" if failure.name else ""
    if failure.is_logged:
        told = await tell(session, "auth:fail", f"{answer.code} {answer.text}")
        log_rejection(
            session,
            told
            or f"{session.exchange_name} authenticator failed for {session.described()}: "
            f"{answer.code} {answer.text}{who}{why}",
        )
    session.reply(
        msgspec.structs.replace(answer, text=f"{answer.text}: {failure.peer}") if failure.peer else answer
    )


def _succeed(session: Session, name: str) -> None:
    session.exchange = None
    session.live.authentication_failed = 0
    session.update_origin(
        authenticated_id=name, authenticator=session.exchange_name, mechanism=_mechanism_of(session)
    )
    session.update_origin(protocol=protocol_name(session, is_esmtp=True))
    session.reply(Reply(235, "Authentication succeeded", "2.7.0"))


def _mechanism_of(session: Session) -> str:
    drivers = session.policy.authenticators
    return next((driver.public_name for driver in drivers if driver.name == session.exchange_name), "")
