"""What came of scanning and authenticating a message: DKIM, SPF, DMARC (Exim chapters 58, 59)."""

from __future__ import annotations

import msgspec


class DkimFacts(msgspec.Struct):
    """One signature, as `acl_smtp_dkim` sees it, and who else signed. Numbers as Exim has them: a tag that is not there is 9999999999999."""

    cur_signer: str = ""
    verify_status: str = ""
    verify_reason: str = ""
    domain: str = ""
    identity: str = ""
    selector: str = ""
    algo: str = ""
    canon_body: str = ""
    canon_headers: str = ""
    copiedheaders: str = ""
    bodylength: int = 9999999999999
    created: int = 0
    expires: int = 9999999999999
    headernames: str = ""
    key_testing: int = 0
    key_nosubdomains: int = 0
    key_srvtype: str = "*"
    key_granularity: str = "*"
    key_notes: str = ""
    key_length: int = 0
    signers: str = ""
    is_overwritten: bool = False
    """An ACL has set status or reason."""


class DkimSigning(msgspec.Struct, frozen=True):
    """Whom a transport is about to sign for, as tainted as the options that say so."""

    domain: str = ""
    selector: str = ""


class SpfFacts(msgspec.Struct, frozen=True):
    """Set by the `spf` and `spf_guess` conditions."""

    result: str = ""
    result_guessed: bool = False
    header_comment: str = ""
    smtp_comment: str = ""
    received: str = ""
    used_domain: str = ""
    sender: str = ""
    """Whose domain was asked."""
    identity: str = "mailfrom"
    """`helo`: there is no sender."""


class DmarcFacts(msgspec.Struct, frozen=True):
    """Set by the `dmarc_status` condition."""

    status: str = ""
    status_text: str = ""
    domain_policy: str = ""
    used_domain: str = ""
    alignment_spf: str = ""
    alignment_dkim: str = ""


class ArcFacts(msgspec.Struct, frozen=True):
    """Set by `verify = arc`."""

    state: str = ""
    state_reason: str = ""
    domains: str = ""
    oldest_pass: int = 0
