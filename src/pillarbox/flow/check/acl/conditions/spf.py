"""`spf` and `spf_guess` (Exim 58.2): what the sender's domain publishes about the host, or HELO's where there is no sender.

`spf_guess` takes the rules of the main option for those of a domain that has none. The words are those of Exim's library.
"""

from __future__ import annotations

from importlib.util import find_spec
from ipaddress import ip_address
from typing import ClassVar, Self

from pillarbox.flow.check.acl.condition import Condition
from pillarbox.flow.check.acl.state import AclState, CheckDeferred
from pillarbox.flow.check.acl.unsupported import NotYet
from pillarbox.flow.facets.authentication import SpfFacts
from pillarbox.flow.settings.lookups import LookupSources
from pillarbox.language.match.local_host import LocalHost
from pillarbox.language.match.named import NamedLists
from pillarbox.language.match.strings import StringList
from pillarbox.mail.reply import Reason
from pillarbox.ports.spf import SpfChecker, SpfUnavailable, SpfVerdict, SpfWish

_SEE = "Please see http://www.open-spf.org/Why : Reason: {}"
_WORDS = {
    "pass": "domain of {domain} designates {address} as permitted sender",
    "fail": "domain of {domain} does not designate {address} as permitted sender",
    "softfail": "transitioning domain of {domain} does not designate {address} as permitted sender",
    "neutral": "{address} is neither permitted nor denied by domain of {domain}",
    "none": "domain of {domain} does not provide an SPF record",
    "permerror": "error in processing during lookup of domain of {domain}: {why}",
    "temperror": "error in processing during lookup of domain of {domain}: {why}",
}
_REFUSING = frozenset(("fail", "softfail", "neutral"))
_LOOPBACK = "localhost is always allowed."


class Spf(Condition, condition="spf"):
    __slots__ = ("_list",)

    guesses: ClassVar[bool] = False

    def __init__(self, wanted: StringList) -> None:
        self._list = wanted

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        if find_spec("spf") is None:
            raise NotYet(
                f"the condition {cls.name} without the package pyspf (pip install 'pillarbox[spf]')",
                "refused",
            )
        return cls(StringList.parse(text, named))

    async def holds(self, state: AclState) -> bool:
        facts = await self._facts(state)
        state.memory.spf = facts
        state.scope = state.scope.with_facet(SpfFacts, facts)
        return await self._list.match_data(facts.result, state.scope) is not None

    async def _facts(self, state: AclState) -> SpfFacts:
        sender = state.facts.sender or f"postmaster@{state.connection.helo}"
        known = state.memory.spf
        is_settled = known is not None and (
            known.result != "none" or known.result_guessed or not self.guesses
        )
        if known is not None and known.sender == sender and is_settled:
            return known
        verdict, is_guess = await self._ask(state, sender), False
        if verdict.result == "none" and self.guesses:
            options = state.scope.facet(LookupSources) or LookupSources()
            guess = await self._ask(state, sender, options.spf_guess)
            verdict, is_guess = guess, True
        return _facts_of(state, sender, verdict, is_guess=is_guess)

    async def _ask(self, state: AclState, sender: str, record: str = "") -> SpfVerdict:
        address = _address_of(state)
        if ip_address(address).is_loopback:
            return SpfVerdict("pass")
        checker = state.scope.facet(SpfChecker)  # type: ignore[type-abstract]
        if checker is None:
            raise CheckDeferred(Reason("SPF cannot be checked here"))
        try:
            return await checker.check(
                SpfWish(address, sender, state.connection.helo, record), state.scope.services.resolver
            )
        except SpfUnavailable as error:
            raise CheckDeferred(Reason(str(error))) from None


class SpfGuess(Spf, condition="spf_guess"):
    __slots__ = ()

    guesses = True


def _address_of(state: AclState) -> str:
    return state.connection.host_address or "0.0.0.0"


def _facts_of(state: AclState, sender: str, verdict: SpfVerdict, *, is_guess: bool) -> SpfFacts:
    domain, address = sender.rpartition("@")[2], _address_of(state)
    local_host = state.scope.facet(LocalHost)
    words = _WORDS[verdict.result].format(domain=domain, address=address, why=verdict.why)
    if verdict.result == "pass" and ip_address(address).is_loopback:
        words = _LOOPBACK
    comment = f"{local_host.primary_hostname if local_host is not None else 'localhost'}: {words}"
    said = _SEE.format("default" if verdict.is_by_default else "mechanism")
    about = f"client-ip={address}; envelope-from={sender}; helo={state.connection.helo};"
    return SpfFacts(
        result=verdict.result,
        result_guessed=is_guess,
        header_comment=comment,
        smtp_comment=said if verdict.result in _REFUSING else "",
        received=f"Received-SPF: {verdict.result} ({comment}) {about}",
        used_domain=domain,
        sender=sender,
        identity="mailfrom" if state.facts.sender else "helo",
    )
