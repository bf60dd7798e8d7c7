"""The ACLs for messages of local programs (Exim 44.2): `acl_not_smtp_start` before one is read, `acl_not_smtp_mime` and `acl_not_smtp` when it
is there.

The first refuses nothing, whatever it says: it is for what it sets, adds and controls.
"""

from __future__ import annotations

import asyncio
from typing import assert_never

import msgspec

from pillarbox.flow.accept.rejection import rejected_message
from pillarbox.flow.check.acl.finding import ChosenAcl
from pillarbox.flow.check.acl.program import Acl
from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.check.scan.leftovers import forget_files
from pillarbox.flow.check.scan.parts import PartInHand, parts_of
from pillarbox.flow.check.verdict import Accept, Defer, Deny, Discard, Drop, Verdict
from pillarbox.flow.facets.content import MimeFacts
from pillarbox.mail import header
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.message import Message


class LocalAcls(msgspec.Struct, frozen=True):
    """`acl_not_smtp_start`, `acl_not_smtp_mime`, `acl_not_smtp`."""

    start: Acl | ChosenAcl | None = None
    mime: Acl | ChosenAcl | None = None
    check: Acl | ChosenAcl | None = None


NO_ACLS = LocalAcls()


class Checked(msgspec.Struct, frozen=True):
    """What the ACLs leave of the recipients."""

    recipients: tuple[Recipient, ...]
    discarded_by: str = ""
    """The ACL that has thrown them away, for the log: `MIME`, `non-SMTP`."""
    why: str = ""


class Rejected(Exception):
    """An ACL refuses the message; `str()` is what its sender may read, perhaps nothing."""


async def run_start(acl: Acl | ChosenAcl, state: AclState) -> None:
    await acl.run(in_place(state, "not_smtp_start"))


async def check(
    acls: LocalAcls, state: AclState, message: Message, recipients: tuple[Recipient, ...]
) -> Checked:
    """Raises Rejected."""
    state.facts.recipients = recipients
    if acls.mime is not None and recipients:
        try:
            verdict = await _ask_about_parts(acls.mime, state, message)
        finally:
            await forget_files(state.facts.id, state.memory, state.scope, state.controls)
        if isinstance(verdict, Discard):
            return Checked((), "MIME")
        _reject(verdict, "during MIME ACL checks", state, recipients)
    if acls.check is None:
        return Checked(recipients)
    verdict = await acls.check.run(state)
    if isinstance(verdict, Discard):
        return Checked((), "non-SMTP", verdict.reason.log)
    _reject(verdict, "by non-SMTP ACL", state, recipients, nothing="NULL")
    return Checked(recipients)


def in_place(state: AclState, where: str) -> AclState:
    """A state for another ACL of the same message: what one sets, the next sees."""
    return AclState(
        where,
        state.scope,
        state.connection,
        state.facts,
        state.services,
        controls=state.controls,
        headers=state.headers,
        memory=state.memory,
    )


async def _ask_about_parts(acl: Acl | ChosenAcl, state: AclState, message: Message) -> Verdict:
    """The first verdict that does not accept, where there is one."""
    if header.first(message.headers, "Content-Type") is None:
        return Accept()
    data = b"".join((message.headers, b"\n", *message.body.chunks()))
    for found in await asyncio.to_thread(parts_of, data):
        inner = in_place(state, "mime")
        inner.scope = state.scope.with_facets({MimeFacts: found.facts, PartInHand: PartInHand(found)})
        verdict = await acl.run(inner)
        if not isinstance(verdict, Accept):
            return verdict
    return Accept()


def _reject(
    verdict: Verdict, how: str, state: AclState, recipients: tuple[Recipient, ...], nothing: str = ""
) -> None:
    """Raises Rejected, unless the verdict is favourable. `nothing`: Exim's word in the log for no reason."""
    match verdict:
        case Accept() | Discard():
            return
        case Deny(reason=reason) | Drop(reason=reason) | Defer(reason=reason):
            _log_rejection(how, reason.log or reason.peer or nothing, state, recipients)
            raise Rejected(reason.peer)
        case _ as unreachable:
            assert_never(unreachable)


def _log_rejection(how: str, why: str, state: AclState, recipients: tuple[Recipient, ...]) -> None:
    facts, services = state.facts, state.services
    line = f"{facts.id} F=<{facts.sender or ''}> rejected {how}{f': {why}' if why else ''}"
    services.log.main(line)
    more = ""
    if facts.message is not None:
        more = rejected_message(services.log_style, facts.sender, recipients, facts.message.headers)
    services.log.reject(f"{line}\n{more}" if more else line)
