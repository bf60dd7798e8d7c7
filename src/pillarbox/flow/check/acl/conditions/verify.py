"""`verify` (Exim 44.21): is this address deliverable, is that header well formed, who is this host?

Supported: `sender` (and `sender=address`), `recipient`, `header_syntax`, `header_sender`, `header_names_ascii`, `reverse_host_lookup`,
`helo`, `certificate` (no client's certificate is asked for, so none is verified), each with `/defer_ok`, and `/no_details`. What Exim has
besides, callouts above all, is read and reported when the configuration is loaded.
"""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import AclSyntaxError, Answer, Condition
from pillarbox.flow.check.acl.decision import SENDER_FAILED, note_sender_trouble
from pillarbox.flow.check.acl.state import AclState, CheckDeferred
from pillarbox.flow.check.acl.unsupported import NotYet
from pillarbox.flow.check.header_syntax import first_bad_address_header, sender_addresses
from pillarbox.flow.facts import SenderCheck
from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.reply import Reason

WHAT = (
    "certificate",
    "header_names_ascii",
    "header_sender",
    "header_syntax",
    "helo",
    "recipient",
    "reverse_host_lookup",
    "sender",
)
OPTIONS = ("defer_ok", "no_details")
NOT_YET = ("csa", "not_blind")
NOT_YET_OPTIONS = ("callout", "success_on_redirect", "quota", "case_insensitive")
CALLOUT_OPTIONS = (
    "connect",
    "defer_ok",
    "fullpostmaster",
    "hold",
    "mailfrom",
    "maxwait",
    "no_cache",
    "postmaster",
    "postmaster_mailfrom",
    "random",
    "use_postmaster",
    "use_sender",
)
SENDER_DEFERRED = Reason("Could not complete sender verify")


class Verify(Condition, condition="verify"):
    __slots__ = ("_address", "_is_defer_ok", "_shows_details", "_what")

    def __init__(self, what: str, address: Template | None, options: list[str]) -> None:
        self._what = what
        self._address = address
        self._is_defer_ok = "defer_ok" in options
        self._shows_details = "no_details" not in options

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        first, *options = (part.strip() for part in text.split("/"))
        what, _, address = (part.strip() for part in first.partition("="))
        if what not in (*WHAT, *NOT_YET) or (address and what != "sender"):
            raise AclSyntaxError(f'cannot verify "{first}"; what can be verified: {", ".join(WHAT)}')
        for option in options:
            _check_option(what, option)
        if what in NOT_YET:
            raise NotYet(f"verify = {what}", "refused")
        return cls(what, Template.parse(address) if address else None, options)

    async def holds(self, state: AclState) -> Answer:
        try:
            return await self._ask(state)
        except (CheckDeferred, ExpansionDeferred):
            if self._is_defer_ok:
                return True
            raise

    async def _ask(self, state: AclState) -> Answer:
        match self._what:
            case "sender":
                if self._address is not None:
                    return await _verify_address(await self._address.expand(state.scope), state)
                return await self._verify_sender(state)
            case "recipient":
                return await _verify_recipient(state)
            case "header_syntax":
                return _verify_header_syntax(state)
            case "header_sender":
                return await _verify_header_sender(state)
            case "header_names_ascii":
                return _verify_header_names(state)
            case "certificate":
                return Reason("no certificate verified")
            case "reverse_host_lookup":
                return await _verify_host(state)
            case _:
                return await _verify_helo(state)

    async def _verify_sender(self, state: AclState) -> Answer:
        """Asked once a transaction."""
        facts = state.facts
        if facts.sender is None:
            return True
        check = facts.sender_check
        if check is None:
            candidate = Candidate.first(Recipient(facts.sender))
            try:
                failure = await state.services.verifier.verify(candidate, state.scope, is_sender=True)
            except CheckDeferred as error:
                note_sender_trouble(state, "defer", error.reason)
                raise CheckDeferred(SENDER_DEFERRED) from error
            check = facts.sender_check = SenderCheck(failure)
        if check.failure is None:
            return True
        check.is_told = check.is_told or not self._shows_details
        return SENDER_FAILED


def _check_option(what: str, option: str) -> None:
    """Raises AclSyntaxError, NotYet."""
    name, _, value = (part.strip() for part in option.partition("="))
    if name in OPTIONS and not value:
        return
    if name not in NOT_YET_OPTIONS:
        raise AclSyntaxError(f'unknown option "{option}" of verify; known: {", ".join(OPTIONS)}')
    for part in value.split(",") if name == "callout" else ():
        word = part.partition("=")[0].strip()
        if word and not word[0].isdigit() and not word.startswith("$") and word not in CALLOUT_OPTIONS:
            raise AclSyntaxError(f'unknown callout option "{word}"; known: {", ".join(CALLOUT_OPTIONS)}')
    raise NotYet(f"verify = {what}/{name}", "refused")


async def _verify_address(address: str, state: AclState) -> Answer:
    if not address:
        return True
    candidate = Candidate.first(Recipient(address.strip("<>")))
    reason = await state.services.verifier.verify(candidate, state.scope, is_sender=True)
    return reason is None or Reason(f"{SENDER_FAILED.log} <{address}>: {reason.log}", SENDER_FAILED.peer)


async def _verify_recipient(state: AclState) -> Answer:
    if state.recipient is None:
        raise ExpansionFailed(f"cannot verify recipient in ACL for {state.where.upper()}")
    reason = await state.services.verifier.verify(state.recipient, state.scope, is_sender=False)
    return reason is None or reason


async def _verify_header_sender(state: AclState) -> Answer:
    """One address of Sender:, Reply-To: or From: that can be verified is enough; one that cannot be said now defers."""
    deferred: CheckDeferred | None = None
    for address in sender_addresses(_headers(state)):
        candidate = Candidate.first(Recipient(address))
        try:
            if await state.services.verifier.verify(candidate, state.scope, is_sender=True) is None:
                return True
        except CheckDeferred as error:
            deferred = error
    if deferred is not None:
        raise deferred
    return Reason("there is no valid sender in any header line")


def _headers(state: AclState) -> bytes:
    if state.facts.message is None:
        raise ExpansionFailed(
            f"cannot check header contents in ACL for {state.where.upper()} (only possible in ACL for DATA)"
        )
    return state.facts.message.headers


def _verify_header_syntax(state: AclState) -> Answer:
    bad = first_bad_address_header(_headers(state))
    return bad is None or Reason(bad)


def _verify_header_names(state: AclState) -> Answer:
    """Where a message is taken apart, a line with another name ends its header: what is in the header is in order."""
    _headers(state)
    return True


async def _verify_host(state: AclState) -> Answer:
    address = state.connection.host_address
    if not address or state.connection.host_name:
        return True
    return bool(await state.services.host_names.name_of(address)) or Reason("host lookup failed")


async def _verify_helo(state: AclState) -> Answer:
    """The address itself, or the verified name (Exim's third way, an address record of the HELO name, is the DNS's word too)."""
    connection = state.connection
    helo = connection.helo.lower()
    if helo.strip("[]").removeprefix("ipv6:") == connection.host_address.lower():
        return True
    name = connection.host_name or await state.services.host_names.name_of(connection.host_address)
    return bool(helo) and helo == name.lower()
