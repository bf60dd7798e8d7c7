"""What the smtp transport can be told (Exim chapter 30): its private options. What is made of them is in transports/smtp.py."""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.config.kinds import Ciphers, Duration, ExpandedBool, ExpandedInteger, ExpandedList
from pillarbox.flow.transport.transport import Transport
from pillarbox.language.expand.template import Template
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.hosts import HostList


class SmtpOptions(Transport):
    """Private options of the smtp transport."""

    protocol: Template | None = option(
        default=None,
        doc="What to speak: smtp (unset too), lmtp, smtps or submissions; the last two begin with TLS.",
    )
    port: Template | None = option(default=None, doc="TCP port; unset: the protocol's own.")
    helo_data: Template | None = option(default="$primary_hostname", doc="Our name in EHLO.")
    interface: ExpandedList | None = option(default=None, doc="Local IP address to connect from.")
    max_rcpt: ExpandedInteger | None = option(
        default="100", doc="Recipients in one transaction; 0: no limit."
    )
    connect_timeout: Duration = option(default="5m", doc="Give up connecting after this long.")
    command_timeout: Duration = option(default="5m", doc="Wait this long for the banner and for replies.")
    data_timeout: Duration = option(default="5m", doc="Wait this long while the host takes a block of data.")
    final_timeout: Duration = option(default="10m", doc="Wait this long for the reply to the message.")
    connection_max_messages: int = option(default=500, doc="Messages over one connection; 0: no limit.")
    size_addition: int = option(default=1024, doc="Added to SIZE for what transports add; negative: no SIZE.")
    message_linelength_limit: int = option(default=998, doc="Longest line that is sent as it is.")
    multi_domain: ExpandedBool = option(
        default=True, doc="Recipients of several domains may share a transaction."
    )
    keepalive: bool = option(default=True, doc="Let the system probe idle connections.")
    dscp: Template | None = option(default=None, doc="Class of service of the packets.")
    socks_proxy: Template | None = option(
        default=None, doc="Connect by way of SOCKS 5 proxies: a list of addresses, each with its options."
    )
    # Which hosts, and when to give them up
    hosts: ExpandedList | None = option(
        default=None, doc="Hosts to deliver to, where the router has given none."
    )
    hosts_override: bool = option(default=False, doc="Deliver to those even where the router has given some.")
    fallback_hosts: ExpandedList | None = option(
        default=None, doc="Hosts to try when all others cannot be reached."
    )
    hosts_randomize: ExpandedBool = option(default=False, doc="Shuffle hosts.")
    hosts_max_try: int = option(default=5, doc="Addresses of hosts to try for one delivery.")
    hosts_max_try_hardlimit: int = option(default=50, doc="The same, whatever their MX preferences.")
    allow_localhost: bool = option(default=False, doc="Deliver to this machine too.")
    serialize_hosts: HostList | None = option(default=None, doc="Hosts that get one connection at a time.")
    gethostbyname: bool = option(
        default=False, doc="Look up hosts as the system does: in /etc/hosts first, not in the DNS alone."
    )
    dns_qualify_single: bool = option(
        default=True, doc="Let the resolver complete names without a dot.", inert="noted"
    )
    dns_search_parents: bool = option(
        default=False, doc="Let the resolver try parent domains.", inert="noted"
    )
    dnssec_request_domains: DomainList | None = option(
        default="*", doc="Hosts for which validated answers of the DNS are asked for."
    )
    dnssec_require_domains: DomainList | None = option(
        default=None, doc="Hosts for which only validated answers count."
    )
    delay_after_cutoff: bool = option(
        default=True, doc="Fail at once while all hosts are past their retry limit."
    )
    address_retry_include_sender: bool = option(
        default=True, doc="A recipient's retry time holds for this sender only."
    )
    retry_include_ip_address: ExpandedBool = option(
        default=True, doc="Retry times of a host are kept for each of its addresses."
    )
    host_name_extract: ExpandedList | None = option(
        default=None,
        doc="How to tell hosts behind one address apart; only for taking up TLS sessions again, which is not done.",
        inert="noted",
    )
    # What is used with whom
    hosts_avoid_esmtp: HostList | None = option(default=None, doc="Say HELO to these.")
    hosts_avoid_pipelining: HostList | None = option(default=None, doc="One command at a time to these.")
    hosts_pipe_connect: HostList | None = option(
        default=None,
        doc="Send to these before they greet, when they allowed it last time (PIPECONNECT).",
    )
    hosts_try_chunking: HostList | None = option(default="*", doc="BDAT with these when they offer it.")
    hosts_try_prdr: HostList | None = option(
        default="*", doc="A reply for each recipient from these when they offer it."
    )
    hosts_try_fastopen: HostList | None = option(default="*", doc="TCP Fast Open with these.", inert="noted")
    lmtp_ignore_quota: bool = option(default=False, doc="Ask an LMTP host to deliver whatever the quota.")
    utf8_downconvert: Template | None = option(
        default="-1",
        doc="Addresses beyond ASCII as ASCII: 1 always, 0 never, -1 where SMTPUTF8 is missing.",
    )
    # Logging in
    hosts_require_auth: HostList | None = option(
        default=None, doc="Send nothing to these without having logged in."
    )
    hosts_try_auth: HostList | None = option(default=None, doc="Log in at these where it is possible.")
    authenticated_sender: Template | None = option(default=None, doc="The address for AUTH= of MAIL.")
    authenticated_sender_force: bool = option(default=False, doc="Send AUTH= even without having logged in.")
    # TLS
    hosts_avoid_tls: HostList | None = option(default=None, doc="No STARTTLS with these.")
    hosts_require_tls: HostList | None = option(default=None, doc="Only by TLS to these.")
    hosts_verify_avoid_tls: HostList | None = option(default=None, doc="No STARTTLS with these for callouts.")
    hosts_nopass_tls: HostList | None = option(
        default=None, doc="Close TLS with these behind each message.", inert="noted"
    )
    hosts_noproxy_tls: HostList | None = option(
        default=None, doc="Close TLS with these when another process takes over.", inert="noted"
    )
    tls_tempfail_tryclear: bool = option(default=True, doc="In clear when TLS fails and is not required.")
    tls_verify_hosts: HostList | None = option(
        default=None, doc="When TLS is used with these, their certificate must be good."
    )
    tls_try_verify_hosts: HostList | None = option(
        default="*", doc="Look at the certificate of these, and go on in any case."
    )
    tls_verify_cert_hostnames: HostList | None = option(
        default="*", doc="The certificate of these must bear their name."
    )
    tls_verify_certificates: Template | None = option(
        default="system", doc="`system` or a file of CA certificates."
    )
    tls_alpn: Template | None = option(default=None, doc="Protocol name to offer (ALPN).")
    hosts_require_alpn: HostList | None = option(
        default=None, doc="Hosts that must agree on a protocol name."
    )
    tls_certificate: Template | None = option(
        default=None, doc="Our own certificate, where a host wants one."
    )
    tls_privatekey: Template | None = option(default=None, doc="Its key.")
    tls_crl: Template | None = option(default=None, doc="Certificates that were revoked, PEM.")
    tls_dh_min_bits: int = option(
        default=1024,
        doc="Smallest Diffie-Hellman modulus to put up with; OpenSSL's security level decides, which is stricter.",
        inert="noted",
    )
    tls_eccurve: ExpandedList | None = option(default=None, doc="Elliptic curves to offer.", inert="noted")
    tls_require_ciphers: Ciphers | None = option(
        default=None, doc="Ciphers allowed, in OpenSSL's words or as a GnuTLS priority string."
    )
    tls_resumption_hosts: HostList | None = option(
        default=None, doc="Hosts with which an earlier TLS session may be taken up.", inert="noted"
    )
    tls_sni: Template | None = option(default=None, doc="The name that we ask for (SNI).")
    gnutls_compat_mode: bool = option(
        default=False, doc="GnuTLS only: be lenient with old peers.", inert="noted"
    )
    hosts_try_dane: HostList | None = option(
        default="*", doc="Verify these by DANE where DNSSEC vouches for TLSA records."
    )
    hosts_require_dane: HostList | None = option(default=None, doc="Hosts that must be verified by DANE.")
    dane_require_tls_ciphers: Template | None = option(
        default=None, doc="Ciphers allowed with DANE; unset: tls_require_ciphers."
    )
    hosts_request_ocsp: HostList | None = option(
        default="*",
        doc="Ask these to prove that their certificate is not revoked (OCSP stapling), for $tls_out_ocsp in events.",
    )
    hosts_require_ocsp: HostList | None = option(default=None, doc="Hosts that must prove it.")
    # Signing
    dkim_domain: ExpandedList | None = option(default=None, doc="Domains to sign as.")
    dkim_selector: ExpandedList | None = option(default=None, doc="Selectors of the keys.")
    dkim_private_key: Template | None = option(
        default=None, doc="Private key, or a file that holds it; 0 or false: do not sign."
    )
    dkim_canon: Template | None = option(default=None, doc="Canonicalization: relaxed (unset too) or simple.")
    dkim_hash: Template | None = option(default="sha256", doc="Digest.")
    dkim_identity: Template | None = option(default=None, doc="Who signs, for i=.")
    dkim_sign_headers: Template | None = option(
        default=None, doc="Headers to sign; unset: those that RFC 4871 names."
    )
    dkim_strict: Template | None = option(
        default=None, doc="True: defer when signing fails, do not send unsigned."
    )
    dkim_timestamps: Template | None = option(
        default=None, doc="Say when the signature was made, and for how many seconds it holds."
    )

    @property
    def signs(self) -> bool:
        return None not in (self.dkim_domain, self.dkim_selector, self.dkim_private_key)
