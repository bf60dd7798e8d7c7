"""Looking into messages: scanners, DKIM, DMARC, local_scan (Exim chapters 45, 46 and 57 to 60)."""

from __future__ import annotations

from pillarbox.config.declare import MainOptions, option
from pillarbox.config.kinds import Duration, ExpandedList, Words
from pillarbox.language.expand.template import Template


class Content(MainOptions):
    """Looking into messages."""

    av_scanner: str = option(
        default="sophie:/var/run/sophie", doc="The virus scanner for the malware condition."
    )
    spamd_address: str = option(
        default="127.0.0.1 783", doc="The SpamAssassin daemons for the spam condition."
    )
    local_scan_path: str | None = option(
        default=None, doc="A compiled function that judges every message.", inert="refused"
    )
    local_scan_timeout: Duration = option(default="5m", doc="Stop it after this long.", inert="noted")
    dkim_verify_hashes: Words = option(
        default="sha256:sha512",
        doc="Digests that a DKIM signature may use; they are looked at in this order.",
    )
    dkim_verify_keytypes: Words = option(
        default="ed25519:rsa", doc="Kinds of keys that it may use; they are looked at in this order."
    )
    dkim_verify_min_keysizes: str = option(
        default="rsa=1024 ed25519=250", doc="How many bits those keys must have."
    )
    dkim_verify_minimal: bool = option(default=False, doc="Be content with the first good signature.")
    dkim_verify_signers: ExpandedList | None = option(
        default=None,
        doc="Signers for whom acl_smtp_dkim is asked; unset: those of the signatures.",
    )
    dmarc_forensic_sender: Template | None = option(
        default=None, doc="Sender of reports about single messages.", inert="noted"
    )
    dmarc_history_file: Template | None = option(
        default=None, doc="File for what the daily DMARC reports are made of.", inert="noted"
    )
    dmarc_tld_file: Template | None = option(default=None, doc="The list of public suffixes.", inert="noted")
