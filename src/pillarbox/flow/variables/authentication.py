"""Variables about DKIM, SPF, DMARC and ARC (Exim chapters 58, 59)."""

from __future__ import annotations

from pillarbox.flow.facets.authentication import ArcFacts, DkimFacts, DkimSigning, DmarcFacts, SpfFacts
from pillarbox.flow.settings.lookups import LookupSources
from pillarbox.flow.variables.fields import Field, declare
from pillarbox.language.expand.registry import variable

_GUESS = "v=spf1 a/24 mx/24 ptr ?all"

declare(
    DkimFacts,
    [
        Field("dkim_cur_signer", "cur_signer", "Domain or identity that acl_smtp_dkim is run for.", True),
        Field("dkim_verify_status", "verify_status", "none, invalid, fail or pass.", False),
        Field("dkim_verify_reason", "verify_reason", "Why the signature is invalid or failed.", False),
        Field("dkim_domain", "domain", "The signing domain (d=).", True),
        Field("dkim_identity", "identity", "The signing identity (i=).", True),
        Field("dkim_selector", "selector", "The key's selector (s=).", True),
        Field("dkim_algo", "algo", "The signature's algorithm.", True),
        Field("dkim_canon_body", "canon_body", "How the body was canonicalised.", True),
        Field("dkim_canon_headers", "canon_headers", "How the header was canonicalised.", True),
        Field("dkim_copiedheaders", "copiedheaders", "Header lines as they were signed (z=).", True),
        Field("dkim_bodylength", "bodylength", "Bytes of the body that are signed."),
        Field("dkim_created", "created", "When it was signed, seconds since the epoch."),
        Field("dkim_expires", "expires", "When the signature expires."),
        Field("dkim_headernames", "headernames", "The header fields that are signed.", True),
        Field("dkim_key_testing", "key_testing", "1: the key says that it is only for testing."),
        Field("dkim_key_nosubdomains", "key_nosubdomains", "1: the key is not for subdomains."),
        Field("dkim_key_srvtype", "key_srvtype", "The service that the key is for.", True),
        Field("dkim_key_granularity", "key_granularity", "Local parts that the key is for.", True),
        Field("dkim_key_notes", "key_notes", "The key's note for people.", True),
        Field("dkim_key_length", "key_length", "Bits of the key."),
        Field("dkim_signers", "signers", "All domains and identities that signed, divided by colons.", True),
    ],
)
declare(
    DkimSigning,
    [
        Field("dkim_domain", "domain", "The domain signed for."),
        Field("dkim_selector", "selector", "The selector of the key that is used."),
    ],
    rank=1,
)
declare(
    SpfFacts,
    [
        Field("spf_result", "result", "pass, fail, softfail, none, neutral, permerror or temperror."),
        Field("spf_result_guessed", "result_guessed", "Whether spf_guess gave the result."),
        Field("spf_header_comment", "header_comment", "The result in words, for a header line.", True),
        Field("spf_smtp_comment", "smtp_comment", "The result in words, for the client.", True),
        Field("spf_received", "received", "A whole Received-SPF: header line.", True),
        Field("spf_used_domain", "used_domain", "The domain that was asked.", True),
    ],
)


@variable("spf_guess", LookupSources, doc="The record that spf_guess assumes.", tainted=False, absent=_GUESS)
def spf_guess(options: LookupSources) -> str:
    return options.spf_guess


declare(
    DmarcFacts,
    [
        Field("dmarc_status", "status", "One word: accept, reject, quarantine, none and others."),
        Field("dmarc_status_text", "status_text", "The status in words."),
        Field("dmarc_domain_policy", "domain_policy", "What the domain asks for: none, quarantine, reject."),
        Field("dmarc_used_domain", "used_domain", "The domain whose policy was found.", True),
        Field("dmarc_used_domains", "used_domain", "Older name of $dmarc_used_domain.", True),
        Field("dmarc_alignment_spf", "alignment_spf", "yes or no: SPF speaks for the From: domain."),
        Field("dmarc_alignment_dkim", "alignment_dkim", "yes or no: DKIM speaks for the From: domain."),
    ],
)
declare(
    ArcFacts,
    [
        Field("arc_state", "state", "none, fail or pass."),
        Field("arc_state_reason", "state_reason", "Why the chain failed."),
        Field("arc_domains", "domains", "Domains that sealed the message, oldest first.", True),
        Field("arc_oldest_pass", "oldest_pass", "The oldest instance from which on all pass."),
    ],
)
