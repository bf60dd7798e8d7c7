"""DKIM signatures at the end of the data: verified as the message came, then judged by `acl_smtp_dkim` (Exim 58.1.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.finish.state import Finish
from pillarbox.flow.check.dkim import Verified, signatures_of, verify
from pillarbox.flow.check.verdict import Accept, Defer, Verdict
from pillarbox.flow.facets.authentication import DkimFacts
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.items.authresults import AuthenticationResults
from pillarbox.language.match.items import filled_items
from pillarbox.mail.reply import Reason
from pillarbox.mail.taint import Tainted
from pillarbox.wire.dkim.signature import MANY, Signature
from pillarbox.wire.exim.log_line import printable

_ACCEPTED = Accept()
_BEGINNINGS = {"fail": "verification failed - ", "invalid": "invalid - "}


def does_verify(state: Finish) -> bool:
    """Unless an ACL said `control = dkim_disable_verify`."""
    return "dkim_disable_verify" not in state.transaction.controls


async def verify_signatures(state: Finish) -> None:
    """Before anything of the header is changed. What keys have wrong is told at once."""
    session = state.session
    if not does_verify(state):
        return
    rules = session.policy.dkim
    signatures = signatures_of(state.headers, rules)
    if not signatures:
        return
    body, resolver = state.message.body.chunks(), session.services.expansion.resolver
    state.signers = _signers_of(signatures)
    state.verified = await verify(signatures, state.headers, body, resolver, rules)
    for one in state.verified:
        for line in one.troubles:
            session.services.journal.main(f"{state.id} {line}")


async def judge_signatures(state: Finish) -> Verdict:
    """By the ACL, for each signer in turn. What came of each is logged behind that; without a signer, or an ACL, at once."""
    transaction = state.transaction
    signers = ":".join(state.signers)
    facts = DkimFacts(signers=signers)
    transaction.scope = transaction.scope.with_facet(DkimFacts, facts)
    wanted: list[str] = []
    if "dkim" in state.session.policy.acls:
        try:
            wanted = await _wanted(state, signers)
        except (ExpansionFailed, ExpansionDeferred) as error:
            text = f"expansion of dkim_verify_signers option failed: {error}"
            state.session.services.journal.panic(f"{state.id} {text}")
            return Defer(Reason(text), is_mistake=True)
    if not wanted:
        for one in state.verified:
            _tell(state, one, _facts_of(one, "", signers))
        _note(state, {})
        return _ACCEPTED
    statuses: list[str] = []
    judged: dict[int, DkimFacts] = {}
    for signer in wanted:
        matching: list[Verified | None] = [one for one in state.verified if _is_by(one.signature, signer)]
        if not matching and signer in state.signers:
            continue  # it was not looked at (`dkim_verify_minimal`)
        for found in matching or [None]:
            if found is None:
                facts = replace(facts, cur_signer=signer, verify_status="none", verify_reason="")
            else:
                facts = _facts_of(found, signer, signers)
            transaction.scope = transaction.scope.with_facet(DkimFacts, facts)
            verdict = await run_acl(state.session, "dkim", transaction.scope, None, transaction)
            statuses.append(facts.verify_status)
            if found is not None:
                judged[id(found)] = facts
                _tell(state, found, facts)
            if not isinstance(verdict, Accept):
                return verdict
    _note(state, judged)
    facts.verify_status = ":".join(statuses)
    return _ACCEPTED


async def _wanted(state: Finish, signers: str) -> list[str]:
    """Each once. Raises ExpansionFailed, ExpansionDeferred."""
    template = state.session.policy.dkim_signers
    text = signers if template is None else await template.expand(state.transaction.scope)
    return list(dict.fromkeys(filled_items(text)))


def _signers_of(signatures: Sequence[Signature]) -> tuple[str, ...]:
    def both() -> Iterator[str]:
        for one in signatures:
            yield one.domain
            if one.identity:
                yield one.identity

    return tuple(both())


def _is_by(signature: Signature, signer: str) -> bool:
    return signer.lower() in (signature.domain.lower(), signature.identity.lower())


def _facts_of(one: Verified, signer: str, signers: str) -> DkimFacts:
    signature, key = one.signature, one.key
    facts = DkimFacts(
        cur_signer=signer,
        verify_status=one.status,
        verify_reason=one.reason,
        domain=signature.domain,
        identity=signature.identity,
        selector=signature.selector,
        algo=signature.algorithm,
        canon_body=signature.body_form,
        canon_headers=signature.header_form,
        copiedheaders=signature.copied,
        bodylength=signature.limit if signature.limit >= 0 else MANY,
        created=signature.created,
        expires=signature.expires,
        headernames=":".join(signature.names),
        signers=signers,
        key_length=one.bits,
    )
    if key is not None:
        facts.key_testing, facts.key_nosubdomains = int(key.is_for_testing), int(key.is_for_domain_alone)
        facts.key_srvtype, facts.key_granularity = key.service, key.granularity
        facts.key_notes = key.notes
    return facts


def _tell(state: Finish, one: Verified, facts: DkimFacts) -> None:
    """The line of `dkim_verbose`, and who is named when the message is logged."""
    if facts.verify_status == "pass":
        state.signed_by = one.signature.domain
    session, signature = state.session, one.signature
    if not session.services.log_style.shows("dkim_verbose"):
        return
    forms = f"{signature.header_form}/{signature.body_form}"
    words = [
        f"{state.id} DKIM: d={signature.domain} s={signature.selector or '<UNSET>'} c={forms}",
        f"a={signature.algorithm} b={len(signature.value) * 8}",
    ]
    words += [f"i={signature.identity}"] if signature.identity else []
    words += [f"t={signature.created}"] if signature.created else []
    words += [f"x={signature.expires}"] if signature.expires != MANY else []
    words += [f"l={signature.limit}"] if signature.limit >= 0 else []
    session.services.journal.main(printable(" ".join((*words, f"[{_outcome(one, facts)}]"))))


def _outcome(one: Verified, facts: DkimFacts) -> str:
    if facts.is_overwritten:
        return f"{facts.verify_status} - {facts.verify_reason}"
    return "verification succeeded" if one.status == "pass" else f"{_BEGINNINGS[one.status]}{one.detail}"


def _note(state: Finish, judged: dict[int, DkimFacts]) -> None:
    """For `${authresults`. `judged`: what the ACL has left, by signature."""
    scope = state.transaction.scope
    methods = tuple(Tainted(_method(one, judged.get(id(one)))) for one in state.verified)
    state.transaction.scope = scope.with_facet(AuthenticationResults, AuthenticationResults(methods))


def _method(one: Verified, facts: DkimFacts | None) -> str:
    """RFC 8601 §2.7.1, in Exim's words."""
    signature = one.signature
    about = f"header.d={signature.domain}"
    about += f" header.i={signature.identity}" if signature.identity else ""
    about += f" header.s={signature.selector}" if signature.selector else ""
    about += f" header.a={signature.algorithm}"
    if facts is not None and facts.is_overwritten:
        return f"dkim=policy ({facts.verify_status} - {facts.verify_reason}) {about}"
    if one.status == "pass":
        return f"dkim=pass {about}"
    result, why = ("fail" if one.status == "fail" else "neutral"), one.detail.replace(" (", "; ").rstrip(")")
    match one.reason:
        case "pubkey_unavailable":
            result, why = "tmperror", "pubkey unavailable"
        case "pubkey_dns_syntax" | "pubkey_der_syntax":
            why = "public key record import problem"
        case "pubkey_too_short":
            why = f"public key too short: {one.bits} bits"
    return f"dkim={result} ({why})\n\t\t {about}"
