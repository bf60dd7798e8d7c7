"""What the SMTP server says, offers and asks of its clients (Exim chapters 14, 44 and 48)."""

from __future__ import annotations

from pillarbox import __version__
from pillarbox.config.declare import MainOptions, option
from pillarbox.config.kinds import Duration, Words
from pillarbox.language.expand.template import Template
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.hosts import HostList


class SmtpService(MainOptions):
    """What the SMTP server says and offers."""

    smtp_banner: Template = option(
        default=f"$smtp_active_hostname ESMTP Pillarbox {__version__} $tod_full",
        doc="First line behind 220.",
    )
    smtp_enforce_sync: bool = option(default=True, doc="Refuse input sent before it may be.")
    auth_advertise_hosts: HostList | None = option(default="*", doc="Hosts that are offered AUTH.")
    chunking_advertise_hosts: HostList | None = option(default="*", doc="Hosts that are offered CHUNKING.")
    pipelining_advertise_hosts: HostList | None = option(
        default="*", doc="Hosts that are offered PIPELINING."
    )
    pipelining_connect_advertise_hosts: HostList | None = option(
        default="*", doc="Hosts that may send before the banner next time."
    )
    limits_advertise_hosts: HostList | None = option(
        default="*", doc="Hosts that are told our limits (RFC 9422)."
    )
    dsn_advertise_hosts: HostList | None = option(default=None, doc="Hosts that are offered DSN.")
    smtputf8_advertise_hosts: HostList | None = option(default="*", doc="Hosts that are offered SMTPUTF8.")
    wellknown_advertise_hosts: HostList | None = option(default=None, doc="Hosts that are offered WELLKNOWN.")
    prdr_enable: bool = option(default=False, doc="Offer and use a reply for each recipient (PRDR).")
    accept_8bitmime: bool = option(default=True, doc="Offer 8BITMIME.")
    hosts_require_helo: HostList | None = option(default="*", doc="Hosts that must say HELO before MAIL.")
    helo_accept_junk_hosts: HostList | None = option(default=None, doc="Hosts whose HELO may be any text.")
    helo_allow_chars: str = option(default="", doc="More characters allowed in HELO names.")
    helo_lookup_domains: DomainList | None = option(
        default="@ : @[]", doc="Names in HELO that make us look up the client's own."
    )
    helo_verify_hosts: HostList | None = option(default=None, doc="Hosts whose HELO must be their name.")
    helo_try_verify_hosts: HostList | None = option(
        default=None, doc="Hosts whose HELO is compared with their name."
    )
    host_lookup: HostList | None = option(default=None, doc="Hosts whose name is looked up on connection.")
    host_lookup_order: Words = option(default="bydns:byaddr", doc="Ways to look it up: the DNS, /etc/hosts.")
    host_reject_connection: HostList | None = option(default=None, doc="Hosts refused before any greeting.")
    sender_unqualified_hosts: HostList | None = option(
        default=None, doc="Hosts that may send unqualified senders."
    )
    recipient_unqualified_hosts: HostList | None = option(
        default=None, doc="Hosts that may send unqualified recipients."
    )
    rfc1413_hosts: HostList | None = option(default="@[]", doc="Hosts asked by the ident protocol.")
    rfc1413_query_timeout: Duration = option(default="0s", doc="Wait so long for ident; 0: do not ask.")
    rfc1413_port: int = option(default=113, doc="Port of the ident protocol.", is_alias=True)
    smtp_return_error_details: bool = option(
        default=False, doc="Tell clients why a sender, a recipient or a header line could not be verified."
    )
    smtp_etrn_command: str | None = option(default=None, doc="Command to run for ETRN.")
    smtp_etrn_serialize: bool = option(default=True, doc="Run it only once at a time for the same argument.")
    allow_domain_literals: bool = option(default=False, doc="Take addresses at [192.0.2.1].")
    allow_utf8_domains: bool = option(
        default=False, doc="Take domains with characters beyond ASCII without SMTPUTF8."
    )
    strip_excess_angle_brackets: bool = option(default=False, doc="Take <<user@domain>>.")
    strip_trailing_dot: bool = option(default=False, doc="Take a domain with a dot behind it.")
    percent_hack_domains: DomainList | None = option(
        default=None, doc="Domains of ours for which user%other@domain means user@other."
    )
    received_header_text: Template | None = option(
        default=(
            "Received: ${if def:sender_rcvhost {from $sender_rcvhost\\n\\t}"
            "{${if def:sender_ident {from ${quote_local_part:$sender_ident} }}"
            "${if def:sender_helo_name {(helo=$sender_helo_name)\\n\\t}}}}"
            "by $primary_hostname ${if def:received_protocol {with $received_protocol }}"
            "${if def:tls_in_ver { ($tls_in_ver)}}${if def:tls_in_cipher_std { tls $tls_in_cipher_std\\n\\t}}"
            f"(Pillarbox {__version__})\\n\\t"
            "${if def:sender_address {(envelope-from <$sender_address>)\\n\\t}}"
            "id $message_exim_id${if def:received_for {\\n\\tfor $received_for}}"
        ),
        doc="The Received: line we add; unset: none.",
    )


class AclNames(MainOptions):
    """Which ACL is asked when: an ACL's name, or a string that expands to one."""

    acl_not_smtp: Template | None = option(default=None, doc="For messages that come without SMTP.")
    acl_not_smtp_mime: Template | None = option(default=None, doc="For each MIME part of such messages.")
    acl_not_smtp_start: Template | None = option(default=None, doc="Before such a message is read.")
    acl_smtp_atrn: Template | None = option(default=None, doc="For ATRN.")
    acl_smtp_auth: Template | None = option(default=None, doc="For AUTH.")
    acl_smtp_connect: Template | None = option(default=None, doc="For a new connection.")
    acl_smtp_data: Template | None = option(default=None, doc="When a message is complete.")
    acl_smtp_data_prdr: Template | None = option(
        default="accept", doc="For each recipient, when a message is complete."
    )
    acl_smtp_dkim: Template | None = option(default=None, doc="For each DKIM signature or signer.")
    acl_smtp_etrn: Template | None = option(default=None, doc="For ETRN.")
    acl_smtp_expn: Template | None = option(default=None, doc="For EXPN; unset: refused.")
    acl_smtp_helo: Template | None = option(default=None, doc="For HELO and EHLO.")
    acl_smtp_mail: Template | None = option(default=None, doc="For MAIL.")
    acl_smtp_mailauth: Template | None = option(default=None, doc="For AUTH= of MAIL.")
    acl_smtp_mime: Template | None = option(default=None, doc="For each MIME part.")
    acl_smtp_notquit: Template | None = option(default=None, doc="When a connection ends without QUIT.")
    acl_smtp_predata: Template | None = option(default=None, doc="For DATA, before any of it comes.")
    acl_smtp_quit: Template | None = option(default=None, doc="For QUIT.")
    acl_smtp_rcpt: Template | None = option(default=None, doc="For RCPT; unset: every recipient is refused.")
    acl_smtp_starttls: Template | None = option(default=None, doc="For STARTTLS.")
    acl_smtp_vrfy: Template | None = option(default=None, doc="For VRFY; unset: refused.")
    acl_smtp_wellknown: Template | None = option(default=None, doc="For WELLKNOWN.")
