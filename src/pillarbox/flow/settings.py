"""Main options that several stages share, by concern (Exim chapter 14).

What only one stage reads is declared beside that stage. Types, defaults and names are Exim's; `extension=True` marks Pillarbox's own.
Options that expand are templates. Lists of ports and interfaces stay text in Exim's list syntax: `port_list` reads them.
"""

from __future__ import annotations

import platform

from pillarbox.config.declare import MainOptions, option
from pillarbox.config.kinds import Duration, Size
from pillarbox.language.expand.template import Template
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.hosts import HostList
from pillarbox.language.match.items import split


class Identity(MainOptions):
    """Who we are."""

    primary_hostname: str = option(
        default_factory=platform.node, doc="Our full name; unset: the machine's own."
    )
    qualify_domain: str = option(
        default="", doc="Domain added to unqualified senders; empty: primary_hostname."
    )
    qualify_recipient: str = option(
        default="", doc="Domain added to unqualified recipients; empty: qualify_domain."
    )
    smtp_active_hostname: Template | None = option(default=None, doc="Our name in SMTP sessions.")
    exim_user: str = option(default="", doc="User to become when started by root.")
    exim_group: str = option(default="", doc="Group to become when started by root.")
    trusted_users: str = option(default="", doc="Users that may set senders freely.")
    never_users: str = option(default="root", doc="Users that no delivery may run as.")

    @property
    def sender_domain(self) -> str:
        return self.qualify_domain or self.primary_hostname

    @property
    def recipient_domain(self) -> str:
        return self.qualify_recipient or self.sender_domain


class Files(MainOptions):
    """Where things lie."""

    spool_directory: str = option(default="/var/spool/exim4", doc="Queue, journal and hints.")
    log_file_path: str = option(
        default="", doc="Log files with %s for main, reject, panic; empty: below the spool directory."
    )
    accounts_file: str = option(
        default="", extension=True, doc="Accounts: names, password hashes, directories."
    )
    mail_directory: str = option(default="", extension=True, doc="Where accounts' mailboxes lie.")


class Listening(MainOptions):
    """Where we listen."""

    local_interfaces: str = option(
        default="<; ::0 ; 0.0.0.0",
        doc="Addresses to listen on, perhaps with ports (address.port, [address]:port).",
    )
    extra_local_interfaces: str = option(default="", doc="More addresses that count as ours.", inert="noted")
    daemon_smtp_ports: str = option(default="smtp", doc="Ports for SMTP where local_interfaces names none.")
    tls_on_connect_ports: str = option(default="", doc="SMTP ports where TLS starts at once.")
    imap_ports: str = option(default="143", extension=True, doc="Ports for IMAP with STARTTLS; empty: none.")
    imaps_ports: str = option(default="993", extension=True, doc="Ports for IMAP over TLS; empty: none.")
    pop3_ports: str = option(default="110", extension=True, doc="Ports for POP3 with STLS; empty: none.")
    pop3s_ports: str = option(default="995", extension=True, doc="Ports for POP3 over TLS; empty: none.")
    workers: int = option(default=0, extension=True, doc="Worker processes; 0: one for each core.")
    smtp_connect_backlog: int = option(
        default=20, doc="Connections that the system may hold for us.", inert="noted"
    )


class Tls(MainOptions):
    """TLS for incoming connections."""

    tls_certificate: Template | None = option(default=None, doc="Certificate chain, PEM.")
    tls_privatekey: Template | None = option(
        default=None, doc="Private key, PEM; unset: in the certificate's file."
    )
    tls_advertise_hosts: HostList | None = option(default="*", doc="Hosts that are offered STARTTLS.")
    tls_require_ciphers: Template | None = option(
        default=None, doc="Ciphers allowed, OpenSSL's words.", inert="refused"
    )
    tls_try_verify_hosts: HostList | None = option(
        default=None, doc="Hosts asked for a certificate.", inert="noted"
    )
    tls_verify_hosts: HostList | None = option(
        default=None, doc="Hosts that must show a valid certificate.", inert="refused"
    )
    tls_verify_certificates: Template | None = option(default="system", doc="Trusted authorities.")
    tls_remember_esmtp: bool = option(
        default=False, doc="Carry on after STARTTLS without a new EHLO.", inert="noted"
    )


class SmtpLimits(MainOptions):
    """How much a client may ask for."""

    message_size_limit: Template | None = option(default="50M", doc="Largest message in bytes; 0: no limit.")
    smtp_accept_max: int = option(default=20, doc="Connections at once; 0: no limit.")
    smtp_accept_max_per_host: Template | None = option(
        default=None, doc="Connections at once from one address."
    )
    smtp_accept_max_per_connection: int = option(default=1000, doc="Messages in one connection.")
    smtp_accept_max_nonmail: int = option(default=10, doc="Commands that lead to no mail before we hang up.")
    smtp_accept_reserve: int = option(
        default=0, doc="Connections kept free for smtp_reserve_hosts.", inert="noted"
    )
    smtp_reserve_hosts: HostList | None = option(
        default=None, doc="Hosts that smtp_accept_reserve is for.", inert="noted"
    )
    smtp_accept_queue: int = option(
        default=0, doc="Above so many connections, queue without delivering; 0: never.", inert="noted"
    )
    smtp_accept_queue_per_connection: int = option(
        default=10,
        doc="After so many messages in a connection, queue without delivering; 0: never.",
        inert="noted",
    )
    smtp_max_synprot_errors: int = option(default=3, doc="Syntax and protocol errors before we hang up.")
    smtp_max_unknown_commands: int = option(default=3, doc="Unknown commands before we hang up.")
    smtp_receive_timeout: Template | None = option(default="5m", doc="Wait so long for a client's next line.")
    recipients_max: Template | None = option(default="50000", doc="Recipients of one message; 0: no limit.")
    recipients_max_reject: bool = option(
        default=False, doc="Refuse the message that has too many, not only the excess."
    )
    header_maxsize: Size = option(default=1048576, doc="Size of all header lines together.")
    header_line_maxsize: Size = option(
        default=0, doc="Size of one header line; 0: header_maxsize.", inert="noted"
    )
    received_headers_max: int = option(default=30, doc="Received: lines above which mail is looping.")


class SmtpService(MainOptions):
    """What the SMTP server says and offers."""

    smtp_banner: Template = option(
        default="$smtp_active_hostname ESMTP Pillarbox $version_number $tod_full",
        doc="First line behind 220.",
    )
    smtp_enforce_sync: bool = option(default=True, doc="Refuse input sent before it may be.")
    smtp_ratelimit_hosts: HostList | None = option(
        default=None, doc="Hosts whose commands are slowed down.", inert="noted"
    )
    auth_advertise_hosts: HostList | None = option(default="*", doc="Hosts that are offered AUTH.")
    chunking_advertise_hosts: HostList | None = option(default="*", doc="Hosts that are offered CHUNKING.")
    pipelining_advertise_hosts: HostList | None = option(
        default="*", doc="Hosts that are offered PIPELINING."
    )
    dsn_advertise_hosts: HostList | None = option(default="*", doc="Hosts that are offered DSN.")
    smtputf8_advertise_hosts: HostList | None = option(default="*", doc="Hosts that are offered SMTPUTF8.")
    accept_8bitmime: bool = option(default=True, doc="Offer 8BITMIME.")
    helo_accept_junk_hosts: HostList | None = option(
        default=None, doc="Hosts whose HELO may be any text.", inert="noted"
    )
    helo_allow_chars: str = option(default="", doc="More characters allowed in HELO names.")
    helo_verify_hosts: HostList | None = option(
        default=None, doc="Hosts whose HELO must be their name.", inert="refused"
    )
    helo_try_verify_hosts: HostList | None = option(
        default=None, doc="Hosts whose HELO is compared with their name.", inert="noted"
    )
    host_lookup: HostList | None = option(default=None, doc="Hosts whose name is looked up on connection.")
    host_reject_connection: HostList | None = option(default=None, doc="Hosts refused before any greeting.")
    sender_unqualified_hosts: HostList | None = option(
        default=None, doc="Hosts that may send unqualified senders."
    )
    recipient_unqualified_hosts: HostList | None = option(
        default=None, doc="Hosts that may send unqualified recipients."
    )
    rfc1413_hosts: HostList | None = option(
        default="@[]", doc="Hosts asked by the ident protocol.", inert="noted"
    )
    rfc1413_query_timeout: Duration = option(
        default="0s", doc="Wait so long for ident; 0: do not ask.", inert="noted"
    )
    received_header_text: Template | None = option(
        default=(
            "Received: ${if def:sender_rcvhost {from $sender_rcvhost\\n\\t}"
            "{${if def:sender_ident {from ${quote_local_part:$sender_ident} }}"
            "${if def:sender_helo_name {(helo=$sender_helo_name)\\n\\t}}}}"
            "by $primary_hostname ${if def:received_protocol {with $received_protocol }}"
            "${if def:tls_in_ver { ($tls_in_ver)}}${if def:tls_in_cipher_std { tls $tls_in_cipher_std\\n\\t}}"
            "(Pillarbox $version_number)\\n\\t"
            "${if def:sender_address {(envelope-from <$sender_address>)\\n\\t}}"
            "id $message_exim_id${if def:received_for {\\n\\tfor $received_for}}"
        ),
        doc="The Received: line we add; unset: none.",
    )


class AclNames(MainOptions):
    """Which ACL is asked when: an ACL's name, or a string that expands to one."""

    acl_not_smtp: Template | None = option(default=None, doc="For messages that come without SMTP.")
    acl_smtp_auth: Template | None = option(default=None, doc="For AUTH.")
    acl_smtp_connect: Template | None = option(default=None, doc="For a new connection.")
    acl_smtp_data: Template | None = option(default=None, doc="When a message is complete.")
    acl_smtp_data_prdr: Template | None = option(
        default="accept", doc="For each recipient, when a message is complete.", inert="noted"
    )
    acl_smtp_etrn: Template | None = option(default=None, doc="For ETRN.", inert="noted")
    acl_smtp_expn: Template | None = option(default=None, doc="For EXPN; unset: refused.")
    acl_smtp_helo: Template | None = option(default=None, doc="For HELO and EHLO.")
    acl_smtp_mail: Template | None = option(default=None, doc="For MAIL.")
    acl_smtp_mailauth: Template | None = option(default=None, doc="For AUTH= of MAIL.", inert="refused")
    acl_smtp_mime: Template | None = option(default=None, doc="For each MIME part.", inert="refused")
    acl_smtp_notquit: Template | None = option(
        default=None, doc="When a connection ends without QUIT.", inert="noted"
    )
    acl_smtp_predata: Template | None = option(default=None, doc="For DATA, before any of it comes.")
    acl_smtp_quit: Template | None = option(default=None, doc="For QUIT.")
    acl_smtp_rcpt: Template | None = option(default=None, doc="For RCPT; unset: every recipient is refused.")
    acl_smtp_starttls: Template | None = option(default=None, doc="For STARTTLS.")
    acl_smtp_vrfy: Template | None = option(default=None, doc="For VRFY; unset: refused.")


class Queueing(MainOptions):
    """Waiting, warning and giving up."""

    queue_only: bool = option(default=False, doc="Accept without delivering at once.")
    queue_run_max: Template | None = option(default="5", doc="Queue runners at once.", inert="noted")
    queue_run_interval: Duration = option(
        default="30m", extension=True, doc="Time between queue runs without -q on the command line; 0: none."
    )
    remote_max_parallel: int = option(default=4, doc="Remote deliveries of one message at once.")
    delay_warning: str = option(default="24h", doc="Warn the sender after these times (a list); 0s: never.")
    delay_warning_condition: Template | None = option(
        default=(
            "${if or {{ !eq{$h_list-id:$h_list-post:$h_list-subscribe:}{} }"
            "{ match{$h_precedence:}{(?i)bulk|list|junk} }"
            "{ match{$h_auto-submitted:}{(?i)auto-generated|auto-replied} }} {no}{yes}}"
        ),
        doc="Warn only when this is true.",
        inert="noted",
    )
    ignore_bounce_errors_after: Duration = option(default="10w", doc="Drop frozen bounces after this long.")
    timeout_frozen_after: Duration = option(
        default="0s", doc="Remove any frozen message after this long; 0: never."
    )
    auto_thaw: Duration = option(default="0s", doc="Try frozen messages again after this long; 0: never.")
    retry_interval_max: Duration = option(default="24h", doc="Longest time between two attempts.")
    retry_data_expire: Duration = option(default="7d", doc="Forget retry hints after this long.")
    hold_domains: DomainList | None = option(default=None, doc="Domains whose mail is held.", inert="refused")
    queue_domains: DomainList | None = option(
        default=None, doc="Domains not delivered to at once.", inert="noted"
    )
    queue_smtp_domains: DomainList | None = option(
        default=None, doc="Remote domains not delivered to at once.", inert="noted"
    )


class Bounces(MainOptions):
    """What bounces look like."""

    bounce_return_body: bool = option(default=True, doc="Return the body too.")
    bounce_return_message: bool = option(default=True, doc="Return the message at all.")
    bounce_return_size_limit: Size = option(default="100K", doc="Return no more than this.")
    bounce_return_linesize_limit: Size = option(
        default=998, doc="Return the headers only when a line is longer.", inert="noted"
    )
    bounce_message_file: Template | None = option(default=None, doc="Texts for bounces.", inert="noted")
    bounce_sender_authentication: str = option(default="", doc="AUTH= address of bounces.", inert="noted")
    dsn_from: Template = option(
        default="Mail Delivery System <Mailer-Daemon@$qualify_domain>", doc="From: of bounces."
    )
    errors_copy: str = option(default="", doc="Copies of bounces, by address pattern.", inert="noted")
    errors_reply_to: str = option(default="", doc="Reply-To: of bounces.", inert="noted")
    warn_message_file: Template | None = option(default=None, doc="Texts for warnings.", inert="noted")


class Dns(MainOptions):
    """How names are looked up."""

    nameservers: str = option(
        default="",
        extension=True,
        doc="Resolvers (a list of addresses, [address]:port); empty: resolv.conf's.",
    )
    dns_again_means_nonexist: DomainList | None = option(
        default=None, doc="Domains for which no answer means that there is no such domain.", inert="noted"
    )
    dns_check_names_pattern: str = option(
        default=r"(?i)^(?>(?(1)\.|())[^\W](?>[a-z0-9/_-]*[^\W])?)+(\.?)$",
        doc="What a host name may look like.",
        inert="noted",
    )
    dns_dnssec_ok: int = option(
        default=-1, doc="Ask for DNSSEC: 1 yes, 0 no, -1 as the system does.", inert="noted"
    )
    dns_ipv4_lookup: DomainList | None = option(
        default=None, doc="Domains whose hosts are looked up for IPv4 only.", inert="noted"
    )
    dns_retrans: Duration = option(default="0s", doc="Time-out of one query; 0: five seconds.", inert="noted")
    dns_retry: int = option(
        default=0, doc="How often a query is repeated; 0: the resolver's own.", inert="noted"
    )
    dns_trust_aa: DomainList | None = option(
        default=None, doc="Domains whose authoritative answers count as validated.", inert="noted"
    )
    disable_ipv6: bool = option(default=False, doc="Neither listen nor deliver over IPv6.", inert="noted")


def port_list(text: str, services: dict[str, int] | None = None) -> tuple[int, ...]:
    """`smtp : 587` → (25, 587). Raises ValueError for a word that is no port."""
    names = {
        "smtp": 25,
        "smtps": 465,
        "ssmtp": 465,
        "submissions": 465,
        "submission": 587,
        "imap": 143,
        "imaps": 993,
    }
    names |= {"pop3": 110, "pop3s": 995} | (services or {})
    ports: list[int] = []
    for word, _ in split(text):
        port = int(word) if word.isdigit() else names.get(word, -1)
        if not 0 <= port <= 65535:
            raise ValueError(f"{word!r} is no port number or service name")
        ports.append(port)
    return tuple(ports)
