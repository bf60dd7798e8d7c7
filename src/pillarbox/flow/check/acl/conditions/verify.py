"""`verify` (Exim 43.44): is this address deliverable, is that header well formed, who is this host?

Supported: `sender`, `recipient`, `header_syntax`, `reverse_host_lookup`, `helo`, each with `/defer_ok`. Callouts are not
supported yet, and that is said when the configuration is loaded.
"""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import AclSyntaxError, Answer, Condition
from pillarbox.flow.check.acl.state import AclState, CheckDeferred
from pillarbox.flow.check.header_syntax import first_bad_address_header
from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.reply import Reason

WHAT = ("sender", "recipient", "header_syntax", "reverse_host_lookup", "helo")


class Verify(Condition, condition="verify"):
    __slots__ = ("_is_defer_ok", "_what")

    def __init__(self, what: str, *, is_defer_ok: bool) -> None:
        self._what = what
        self._is_defer_ok = is_defer_ok

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        what, *options = (part.strip() for part in text.split("/"))
        if what not in WHAT:
            raise AclSyntaxError(f"cannot verify {what!r}; what can be verified: {', '.join(WHAT)}")
        unknown = [option for option in options if option != "defer_ok"]
        if unknown:
            raise AclSyntaxError(f"verify option {unknown[0]!r} is not supported yet")
        return cls(what, is_defer_ok="defer_ok" in options)

    async def holds(self, state: AclState) -> Answer:
        try:
            return await self._ask(state)
        except CheckDeferred:
            if self._is_defer_ok:
                return True
            raise

    async def _ask(self, state: AclState) -> Answer:
        match self._what:
            case "sender":
                return await _verify_sender(state)
            case "recipient":
                return await _verify_recipient(state)
            case "header_syntax":
                return _verify_header_syntax(state)
            case "reverse_host_lookup":
                return await _verify_host(state)
            case _:
                return _verify_helo(state)


async def _verify_sender(state: AclState) -> Answer:
    if state.facts.sender is None:
        return True
    candidate = Candidate.first(Recipient(state.facts.sender))
    reason = await state.services.verifier.verify(candidate, state.scope, is_sender=True)
    return reason is None or Reason(
        f"sender verify fail for <{state.facts.sender}>: {reason.log}", "Sender verify failed"
    )


async def _verify_recipient(state: AclState) -> Answer:
    if state.recipient is None:
        return False
    reason = await state.services.verifier.verify(state.recipient, state.scope, is_sender=False)
    return reason is None or reason


def _verify_header_syntax(state: AclState) -> Answer:
    if state.facts.message is None:
        return True
    bad = first_bad_address_header(state.facts.message.headers)
    return bad is None or Reason(f"header syntax: {bad}", f"header syntax: {bad}")


async def _verify_host(state: AclState) -> Answer:
    name = await state.services.host_names.name_of(state.connection.host_address)
    return bool(name) or Reason("host lookup failed", "host lookup failed")


def _verify_helo(state: AclState) -> Answer:
    helo = state.connection.helo.strip("[]").removeprefix("IPv6:").lower()
    known = {state.connection.host_address.lower(), state.connection.host_name.lower()} - {""}
    return helo in known or Reason(f"helo {state.connection.helo} does not verify", "HELO verify failed")
