"""TLS for incoming connections (Exim chapter 42).

What only GnuTLS knows is taken and does nothing: the library is OpenSSL.
"""

from __future__ import annotations

from pillarbox.config.declare import MainOptions, option
from pillarbox.config.kinds import ExpandedList
from pillarbox.language.expand.template import Template
from pillarbox.language.match.hosts import HostList


class Tls(MainOptions):
    """TLS for incoming connections."""

    tls_certificate: ExpandedList | None = option(default=None, doc="Certificate chain, PEM.")
    tls_privatekey: ExpandedList | None = option(
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
    tls_crl: Template | None = option(
        default=None, doc="Certificates that were revoked, PEM.", inert="refused"
    )
    tls_alpn: ExpandedList | None = option(
        default="smtp:esmtp", doc="Protocol names to accept when a client names some (ALPN).", inert="noted"
    )
    hosts_require_alpn: HostList | None = option(
        default=None, doc="Hosts that must name a protocol (ALPN).", inert="refused"
    )
    tls_dh_max_bits: int = option(default=2236, doc="Largest Diffie-Hellman modulus to use.", inert="noted")
    tls_dhparam: Template | None = option(
        default=None, doc="Diffie-Hellman parameters: a file, a name, or none.", inert="noted"
    )
    tls_early_banner_hosts: HostList | None = option(
        default=None, doc="Hosts that get the banner before the handshake is quite over.", inert="noted"
    )
    tls_eccurve: ExpandedList | None = option(default="auto", doc="Elliptic curves to offer.", inert="noted")
    tls_ocsp_file: Template | None = option(
        default=None, doc="Proof that the certificate is not revoked, to staple.", inert="noted"
    )
    tls_remember_esmtp: bool = option(
        default=False, doc="Carry on after STARTTLS without a new EHLO.", inert="noted"
    )
    tls_resumption_hosts: HostList | None = option(
        default=None, doc="Hosts that may take up an earlier TLS session.", inert="noted"
    )
    openssl_options: str | None = option(
        default=None, doc="Switches of the OpenSSL library: +no_tlsv1 and the like.", inert="refused"
    )
    gnutls_compat_mode: bool = option(
        default=False, doc="GnuTLS only: be lenient with old peers.", inert="noted"
    )
    gnutls_allow_auto_pkcs11: bool = option(
        default=False, doc="GnuTLS only: load PKCS11 modules.", inert="noted"
    )
