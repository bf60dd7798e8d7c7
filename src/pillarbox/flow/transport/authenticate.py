"""Client authentication: log in at another host before the first MAIL (RFC 4954, Exim 30, 33.10).

The authenticators of the configuration are tried in their order, those whose mechanism the host offers. A host that says 5xx to one is asked
with the next. Without success the mail goes unauthenticated where that was only worth a try (`hosts_try_auth`); where it is
a must (`hosts_require_auth`), the host counts as failed for now.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.trouble import Lost, Trouble, remote_error
from pillarbox.flow.transport.events import Events
from pillarbox.flow.transport.login import (
    Cancelled,
    CannotAnswer,
    ClientAuthenticator,
    ClientExchange,
    ConditionFailed,
)
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Origin
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.log_line import printable
from pillarbox.wire.exim.outcome_line import remote_host
from pillarbox.wire.smtp.commands import Command
from pillarbox.wire.smtp.events import Auth, AuthCancelled, AuthResponse

_MAX_STEPS = 10
"""Challenges in one exchange: more are nobody's mechanism."""


class _Refused(Exception):
    """This authenticator did not get us in; another may."""

    def __init__(self, text: str, *, is_reply: bool = False, is_ours: bool = False) -> None:
        super().__init__(text)
        self.is_reply = is_reply
        """The host has said so."""
        self.is_ours = is_ours
        """We have called it off."""


class NoBase64(CannotAnswer):
    """The host's challenge."""


async def authenticate(
    session: Session,
    authenticators: Sequence[ClientAuthenticator],
    scope: Scope,
    note: Callable[[str], None],
    alarm: Callable[[str], None],
    *,
    is_required: bool,
    events: Events | None = None,
) -> Trouble | None:
    """Try them in turn; what stands in the way of sending mail, or None."""
    offered = session.engine.extensions.auth
    why = "no common mechanisms were found" if offered else "server did not advertise AUTH support"
    target = session.target
    facets = session.facets(scope)
    for authenticator in authenticators:
        if authenticator.mechanism not in offered:
            continue
        try:
            exchange = await authenticator.prepare(scope.with_facets(facets))
            if exchange is None:
                continue
            await _converse(session, authenticator, exchange)
        except ConditionFailed as error:
            alarm(str(error))
        except ExpansionFailed as error:
            return Trouble("message", str(error), error="auth_failed")
        except Cancelled:
            why = "authentication attempt(s) failed"
        except _Refused as refused:
            told = ""
            if events is not None and refused.is_reply:
                origin = replace(scope.facet(Origin) or Origin(), authenticator=authenticator.name)
                told = await events.tell("auth:fail", str(refused), at=facets | {Origin: origin})
            where = f"H={remote_host(target.remote)}"
            what = "cancelled authentication" if refused.is_ours else "failed"
            note(told or f"{authenticator.name} authenticator {what} {where} {printable(str(refused))}")
            why = "authentication attempt(s) failed"
        except _TemporarilyRefused as refused:
            return refused.trouble
        except _LostAt as lost:
            return lost.cause.after(lost.said)
        else:
            login = exchange.login
            session.authenticator = f"{authenticator.name}:{login}" if login else authenticator.name
            return None
    if not is_required:
        return None
    return Trouble("host", f"authentication required but {why}", error="auth_failed")


class _TemporarilyRefused(Exception):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.text)
        self.trouble = trouble


class _LostAt(Exception):
    def __init__(self, cause: Lost, said: str) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.said = said


async def _converse(session: Session, authenticator: ClientAuthenticator, exchange: ClientExchange) -> None:
    """Raises _LostAt, _Refused, _TemporarilyRefused."""
    initial = exchange.begin()
    said = f"AUTH {authenticator.mechanism}"
    if initial is not None:
        said = f"{said} {_hidden(initial)}"
    reply = await _ask(session, Auth(authenticator.mechanism, initial), said)
    for _ in range(_MAX_STEPS):
        if reply.code != 334:
            break
        try:
            response = exchange.answer(_decoded(reply.text, is_lenient=exchange.is_lenient))
        except NoBase64 as error:
            await _ask(session, AuthCancelled(), "*")
            why = f'Invalid base64 string in server response "{reply}"'
            raise _Refused(why, is_ours=True) from error
        except CannotAnswer as error:
            await _ask(session, AuthCancelled(), "*")
            raise _Refused(str(error)) from error
        except (Cancelled, ExpansionFailed):
            await _ask(session, AuthCancelled(), "*")
            raise
        said = _hidden(response)
        reply = await _ask(session, AuthResponse(response), said)
    if reply.is_permanent:
        raise _Refused(str(reply), is_reply=True)
    if not reply.is_positive or reply.code == 334:
        raise _TemporarilyRefused(Trouble("host", remote_error(said, reply), reply))
    try:
        exchange.check()
    except CannotAnswer as error:
        trouble = Trouble("host", f"{authenticator.name} authenticator: {error}", error="auth_failed")
        raise _TemporarilyRefused(trouble) from error


async def _ask(session: Session, command: Command, said: str) -> Reply:
    try:
        [answer] = await session.ask(command)
    except Lost as lost:
        raise _LostAt(lost, said) from lost
    return answer.reply


def _hidden(secret: bytes) -> str:
    """As many asterisks as the log must not have letters."""
    return "*" * (4 * ((len(secret) + 2) // 3)) or "="


def _decoded(text: str, *, is_lenient: bool) -> bytes:
    """Of a 334 reply. Raises CannotAnswer."""
    try:
        return binascii.a2b_base64(text.strip(), strict_mode=True)
    except ValueError as error:
        if is_lenient:
            return b""
        raise NoBase64("the server's challenge is not base64") from error
