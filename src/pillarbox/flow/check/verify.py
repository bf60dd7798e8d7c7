"""Address verification: would we deliver it? Routed with purpose `verify`, and then, where wished, a callout (Exim 44.21, 44.22)."""

from __future__ import annotations

from msgspec.structs import replace

from pillarbox.flow.check.acl.state import CheckDeferred, VerifyFailure, VerifyWish
from pillarbox.flow.check.callout import Answer, Callouts
from pillarbox.flow.check.callout_wish import CalloutWish
from pillarbox.flow.check.cutthrough import OFF, WISH, Passed, ask_onward, send_held
from pillarbox.flow.check.held import Held, Holder
from pillarbox.flow.check.quota import QuotaUnknown, has_room
from pillarbox.flow.check.quota_wish import QuotaWish
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.rewriting import Rewriting
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.chain import Chain
from pillarbox.flow.route.result import Postponed, Routed, Trouble
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.mail.reply import Reason

UNROUTEABLE = "Unrouteable address"
NO_SERVICE = "an MX or SRV record indicated no SMTP service"
_USUAL = VerifyWish()


class RoutingVerifier:
    """`Verifier` of acl/state.py, over the routers."""

    def __init__(
        self,
        chain: Chain,
        callouts: Callouts | None = None,
        qualify_domain: str = "",
        rewriting: Rewriting | None = None,
    ) -> None:
        """Without `callouts` none is made."""
        self._rewriting = rewriting
        self._chain = chain
        self._callouts = callouts
        self._qualify_domain = qualify_domain

    async def verify(
        self,
        candidate: Candidate,
        scope: Scope,
        *,
        is_sender: bool,
        wish: VerifyWish = _USUAL,
        called: list[str] | None = None,
        data: list[str] | None = None,
        holder: Holder | None = None,
    ) -> VerifyFailure | None:
        if self._rewriting is not None:
            candidate = await self._rewritten(self._rewriting, candidate, scope, is_sender=is_sender)
        routed = await self._chain.route(candidate, "verify_sender" if is_sender else "verify", scope)
        if data is not None:
            data.append(routed.address_data)
        trouble = next((each for each in routed.history if isinstance(each, Trouble)), None)
        if trouble is not None and not (wish.succeeds_on_redirect and trouble.candidate.parents):
            reason = trouble.result.reason
            if isinstance(trouble.result, Postponed):
                raise CheckDeferred(reason)
            details = reason.peer or (UNROUTEABLE if reason.log in ("", UNROUTEABLE) else "")
            if reason.log == NO_SERVICE:  # Exim tells the client nothing more of a sender
                details = ""
            return VerifyFailure(reason.log or UNROUTEABLE, reason.peer or UNROUTEABLE, details, "route")
        if wish.quota is not None and not await self._has_room(routed, wish.quota, scope):
            return VerifyFailure("", "", step="quota")
        if wish.callout is None or self._callouts is None:
            return None
        if called is not None:
            called += [each.address for each in routed.assignments if self._callouts.can_ask(each)]
        return await self._call(routed, wish, wish.callout, scope, holder, is_sender=is_sender)

    async def ask_onward(
        self, candidate: Candidate, scope: Scope, holder: Holder, *, uses_return_path: bool
    ) -> Answer:
        if self._callouts is None:
            return OFF
        if self._rewriting is not None:
            candidate = await self._rewritten(self._rewriting, candidate, scope, is_sender=False)
        routed = await self._chain.route(candidate, "verify", scope)
        wish = replace(WISH, uses_return_path=uses_return_path)
        sender = self._mail_from(wish, scope, is_sender=False)
        return await ask_onward(routed, self._callouts, scope, sender, wish, holder)

    async def send_held(self, held: Held, envelope: Envelope, message: Message) -> Passed:
        assert self._callouts is not None
        return await send_held(held, envelope, message, self._callouts.services)

    async def expand(self, candidate: Candidate, scope: Scope) -> Routed:
        return await self._chain.route(candidate, "expn", scope)

    async def _rewritten(
        self, rewriting: Rewriting, candidate: Candidate, scope: Scope, *, is_sender: bool
    ) -> Candidate:
        """An address is verified as it will be (Exim 31.2); the sender stays so."""
        address = await rewriting.for_verification(candidate.address, scope, is_sender=is_sender)
        if address == candidate.address:
            return candidate
        facts = scope.facet(MessageFacts)
        if is_sender and facts is not None and facts.sender == candidate.address:
            facts.keep_written(facts.sender)
            facts.sender = address
        return Candidate.first(replace(candidate.recipient, address=address))

    async def _call(
        self,
        routed: Routed,
        wish: VerifyWish,
        callout: CalloutWish,
        scope: Scope,
        holder: Holder | None,
        *,
        is_sender: bool,
    ) -> VerifyFailure | None:
        assert self._callouts is not None
        sender = self._mail_from(callout, scope, is_sender=is_sender)
        for assignment in routed.assignments:
            if wish.succeeds_on_redirect and assignment.candidate.parents:
                return None
            answer = await self._callouts.ask(assignment, assignment.address, callout, scope, sender, holder)
            if answer.outcome == "defer" and not callout.is_defer_ok:
                raise CheckDeferred(_deferred(answer, is_sender=is_sender))
            if answer.outcome == "reject":
                return _failure(answer)
        return None

    async def _has_room(self, routed: Routed, wish: QuotaWish, scope: Scope) -> bool:
        callouts = self._callouts
        assignments = routed.assignments if callouts is not None else ()
        try:
            for assignment in assignments:
                assert callouts is not None
                if not await has_room(assignment, wish, scope, callouts.cache, callouts.services):
                    return False
        except QuotaUnknown as error:
            raise CheckDeferred(Reason(str(error))) from error
        return True

    def _mail_from(self, callout: CalloutWish, scope: Scope, *, is_sender: bool) -> str:
        if callout.mailfrom:
            return callout.mailfrom
        if is_sender:
            return ""
        if callout.uses_postmaster:
            return f"postmaster@{self._qualify_domain}"
        facts = scope.facet(MessageFacts)
        is_told = callout.uses_sender or callout.uses_return_path
        return (facts.sender or "") if is_told and facts is not None else ""


def _deferred(answer: Answer, *, is_sender: bool) -> Reason:
    text = f"Could not complete {'sender' if is_sender else 'recipient'} verify callout"
    return Reason(f"{text}: {answer.log}" if answer.log else text, text)


def _failure(answer: Answer) -> VerifyFailure:
    peer = f"Callout verification failed:\n{answer.said}" if answer.details else answer.said
    return VerifyFailure(answer.log, peer, answer.details or answer.said, answer.step)
