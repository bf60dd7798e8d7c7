"""`verify` (Exim 44.21): is this address deliverable, is that header well formed, who is this host?

`sender`, `sender=address`, `recipient` and `header_sender` with callouts; `header_syntax`, `header_names_ascii`, `not_blind`,
`reverse_host_lookup`, `helo`, `csa`, `certificate`. Known gap: `arc`.
"""

from __future__ import annotations

from functools import partial
from typing import Self

from msgspec.structs import replace

from pillarbox.flow.check.acl.condition import Answer, Condition
from pillarbox.flow.check.acl.sender_failure import SENDER_FAILED, FailedSender, note_sender_trouble
from pillarbox.flow.check.acl.state import (
    CUTTHROUGH,
    AclState,
    CheckDeferred,
    CheckFailed,
    VerifyFailure,
    VerifyWish,
    expand_argument,
    place_name,
)
from pillarbox.flow.check.acl.unsupported import NotYet
from pillarbox.flow.check.acl.verify_line import VerifyLine, VerifyMistake, read_verify
from pillarbox.flow.check.blind import blind_recipient
from pillarbox.flow.check.csa import csa_status
from pillarbox.flow.check.header_syntax import first_bad_address_header, sender_addresses
from pillarbox.flow.check.held import Holder
from pillarbox.flow.check.helo import helo_is_true
from pillarbox.flow.facets.session import TlsInFacts, VerifyFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.template import Template
from pillarbox.language.match.host_names import ClientName
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.reply import Reason
from pillarbox.wire.exim.log_line import printable

END_OF_VERIFICATION = " ----------- end verify ------------"
_CONTENT = frozenset({"data", "data_prdr", "mime", "not_smtp", "dkim"})
_SENDER_KNOWN = frozenset({"mail", "rcpt", "predata"}) | _CONTENT


class Verify(Condition, condition="verify"):
    __slots__ = ("_line", "_mistake", "_template")

    def __init__(self, template: Template, line: VerifyLine | None, mistake: str = "") -> None:
        self._template = template
        self._line = line
        """When nothing of it is to be expanded, and nothing is wrong with it."""
        self._mistake = mistake

    @property
    def mistake(self) -> tuple[str, str]:
        return self._mistake, ""

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        template = Template.parse(text)
        if template.node.constant is None:
            return cls(template, None)
        try:
            return cls(template, read_verify(template.node.constant))
        except VerifyMistake as error:
            return cls(template, None, str(error))

    async def holds(self, state: AclState) -> Answer:
        line = self._line or _read_late(await expand_argument(self._template, state), state)
        try:
            return await _ask(line, state)
        except (CheckDeferred, ExpansionDeferred):
            if line.is_defer_ok:
                return True
            raise


def _read_late(text: str, state: AclState) -> VerifyLine:
    """Where the message is needed, the wrong place counts for more than wrong options."""
    try:
        return read_verify(text)
    except VerifyMistake as error:
        what = text.partition("/")[0].strip().lower()
        if what in ("header_sender", "not_blind") and state.where not in _CONTENT:
            raise CheckFailed(f"cannot verify {what} in ACL for {place_name(state.where)}") from None
        raise CheckFailed(str(error)) from None
    except NotYet as error:
        raise CheckDeferred(Reason(f"{error} is not supported yet")) from None


async def _ask(line: VerifyLine, state: AclState) -> Answer:
    match line.what:
        case "sender":
            return await _verify_sender(line, state)
        case "recipient":
            return await _verify_recipient(line, state)
        case "header_syntax":
            bad = first_bad_address_header(
                _headers(line, state), takes_literals=state.services.takes_literals
            )
            return bad is None or _of_content(bad, state)
        case "header_sender":
            return await _verify_header_sender(line, state)
        case "header_names_ascii":
            _headers(line, state)
            return True  # a line with another name ended the header where the message was taken apart
        case "not_blind":
            return _verify_not_blind(line, state)
        case "certificate":
            tls = state.scope.facet(TlsInFacts)
            is_good = tls is not None and tls.certificate_verified == 1
            return is_good or Reason("no verified certificate", "no verified certificate")
        case "csa":
            return await _verify_csa(line, state)
        case "reverse_host_lookup":
            return await _verify_host(state)
        case _:
            return await _verify_helo(state)


async def _verify_sender(line: VerifyLine, state: AclState) -> Answer:
    """Without a callout asked once a transaction."""
    if state.where not in _SENDER_KNOWN:
        raise CheckFailed(f"cannot verify sender in ACL for {place_name(state.where)}")
    address = state.facts.sender or "" if line.address is None else line.address.strip("<>")
    if not address:
        return True
    try:
        failed = await _failed_sender(address, line, state)
    finally:
        _set_facts(
            state,
            sender_failure=state.memory.sender_failure,
            sender_address_data=state.memory.sender_address_data,
        )
    if failed is None:
        return True
    failed.is_told = failed.is_told or not line.shows_details
    state.memory.failed_sender = failed
    return SENDER_FAILED


async def _failed_sender(address: str, line: VerifyLine, state: AclState) -> FailedSender | None:
    memory, key = state.memory.verified, ("sender", address, line.wish)
    if line.wish.callout is None and key in memory:
        known = memory[key]
        state.tell(" using cached sender verify result")
        return known if isinstance(known, FailedSender) else None
    candidate = Candidate.first(Recipient(address))
    await _let_out(line, state)
    data: list[str] = []
    try:
        failure = await state.services.verifier.verify(
            candidate, state.scope, is_sender=True, wish=line.wish, data=data
        )
        state.tell(END_OF_VERIFICATION)
    except CheckDeferred as error:
        state.tell(END_OF_VERIFICATION)
        note_sender_trouble(state, "defer", address, error.reason.log)
        is_callout = error.reason.log.startswith("Could not complete sender verify callout")
        text = (
            "Could not complete sender verify callout" if is_callout else "Could not complete sender verify"
        )
        details = f"{error.reason.log}\n{text}" if state.services.tells_details else ""
        raise CheckDeferred(Reason(text, text if is_callout else details)) from error
    finally:
        state.memory.sender_address_data = "".join(data)
    failed = FailedSender(address, failure) if failure is not None else None
    state.memory.sender_failure = failure.step if failure is not None else ""
    memory[key] = failed
    return failed


async def _verify_recipient(line: VerifyLine, state: AclState) -> Answer:
    if state.recipient is None or state.where != "rcpt":
        raise CheckFailed(f"cannot verify recipient in ACL for {place_name(state.where)}")
    called: list[str] = []
    data: list[str] = []
    wish, holder = _held(line.wish, state)
    lists = state.memory.lists
    lists.domain = lists.local_part = lists.sender = ""  # as routing leaves them
    await _let_out(line, state)
    try:
        failure = await state.services.verifier.verify(
            state.recipient, state.scope, is_sender=False, wish=wish, called=called, data=data, holder=holder
        )
        state.tell(END_OF_VERIFICATION)
    except CheckDeferred as error:
        state.tell(END_OF_VERIFICATION)
        if state.services.tells_details and not error.reason.peer:
            raise CheckDeferred(Reason(error.reason.log, error.reason.log)) from error
        raise
    finally:
        _set_facts(state, address_data="".join(data))
    if failure is None:
        if line.wish.callout is not None and called:
            lists.domain, lists.local_part = state.recipient.domain, state.recipient.local_part
        return True
    _set_facts(state, recipient_failure=failure.step)
    return Reason(failure.log, failure.peer)


async def _let_out(line: VerifyLine, state: AclState) -> None:
    """A callout takes its time."""
    if line.wish.callout is not None:
        await state.flush("no_callout_flush")


def _held(wish: VerifyWish, state: AclState) -> tuple[VerifyWish, Holder | None]:
    """Who keeps the callout's connection, where it is to be kept: for `hold`, and for a message that is to be passed on."""
    callout = wish.callout
    if callout is None:
        return wish, None
    is_for_message = CUTTHROUGH in state.controls and (callout.uses_sender or callout.uses_return_path)
    if is_for_message:
        callout = replace(callout, holds=True, is_for_message=True, has_no_cache=True)
        wish = replace(wish, callout=callout)
    if not callout.holds:
        return wish, None
    holder = state.memory.holder = state.memory.holder or Holder()
    return wish, holder


def _set_facts(state: AclState, **changes: str) -> None:
    """Fields of VerifyFacts; the others stay."""
    facts = replace(state.scope.facet(VerifyFacts) or VerifyFacts(), **changes)
    state.scope = state.scope.with_facet(VerifyFacts, facts)


async def _verify_header_sender(line: VerifyLine, state: AclState) -> Answer:
    """One address of Sender:, Reply-To: or From: that can be verified is enough; one that cannot be said now defers."""
    deferred: CheckDeferred | None = None
    failure: VerifyFailure | None = None
    for address in sender_addresses(_headers(line, state)):
        candidate = Candidate.first(Recipient(address))
        try:
            failure = await state.services.verifier.verify(
                candidate, state.scope, is_sender=True, wish=line.wish
            )
            state.tell(END_OF_VERIFICATION)
        except CheckDeferred as error:
            state.tell(END_OF_VERIFICATION)
            deferred = error
            continue
        if failure is None:
            return True
    if deferred is not None:
        raise deferred
    return _of_content("there is no valid sender in any header line", state)


def _of_content(text: str, state: AclState) -> Reason:
    told = f"Rejected after {place_name(state.where)}: {text}" if state.services.tells_details else ""
    return Reason(printable(text), told)


def _headers(line: VerifyLine, state: AclState) -> bytes:
    if state.where in ("quit", "notquit"):
        return b""
    if state.facts.message is None or state.where not in _CONTENT:
        raise CheckFailed(f"cannot verify {line.what} in ACL for {place_name(state.where)}")
    return state.facts.message.headers


def _verify_not_blind(line: VerifyLine, state: AclState) -> Answer:
    headers = _headers(line, state)
    blind = blind_recipient(
        headers, [each.address for each in state.facts.recipients], ignores_case=line.ignores_case
    )
    return blind is None or Reason("bcc recipient detected")


async def _verify_host(state: AclState) -> Answer:
    client = state.scope.facet(ClientName)
    if client is None or not client.address or client.name:
        return True
    had_failed = client.has_failed
    try:
        if not had_failed:
            client.learn(await state.services.host_names.name_of(client.address))
    except ExpansionDeferred:
        client.is_deferred = True
        raise CheckDeferred(Reason("host lookup deferred for reverse lookup check", "")) from None
    if client.name:
        return True
    return Reason(f"host lookup failed{'' if had_failed else ' for reverse lookup check'} ({client.why})", "")


async def _verify_helo(state: AclState) -> Answer:
    client = state.scope.facet(ClientName)
    if client is None:
        return False
    if client.helo_is_true is None:
        services = state.scope.services
        found = await helo_is_true(
            state.connection.helo, client, services, state.services.host_names, partial(_tell, state)
        )
        client.helo_is_true = found is True
    return client.helo_is_true


async def _verify_csa(line: VerifyLine, state: AclState) -> Answer:
    client = state.connection
    name = line.address or client.helo or client.host_address
    resolver = state.scope.services.resolver
    status = await csa_status(name, client.host_address, resolver, state.services.csa)
    _set_facts(state, csa_status=status.word)
    text = f"client SMTP authorization {status.reason}"
    return status.is_good or Reason(text, text)


def _tell(state: AclState, line: str, depth: int) -> None:
    if state.say is not None:
        state.say(line, depth + state.depth + state.memory.connection.indent if depth >= 0 else 0)
