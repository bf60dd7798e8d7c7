"""TLS for incoming connections (Exim chapter 42).

What only GnuTLS knows is taken and does nothing: the library is OpenSSL.
"""

from __future__ import annotations

from pillarbox.config.declare import MainOptions, option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import Ciphers, ExpandedList
from pillarbox.language.expand.template import Template
from pillarbox.language.match.hosts import HostList

_FEWEST_BITS = 1024


class Tls(MainOptions):
    """TLS for incoming connections."""

    tls_certificate: ExpandedList | None = option(default=None, doc="Certificate chain, PEM.")
    tls_privatekey: ExpandedList | None = option(
        default=None, doc="Private key, PEM; unset: in the certificate's file."
    )
    tls_advertise_hosts: HostList | None = option(default="*", doc="Hosts that are offered STARTTLS.")
    tls_require_ciphers: Ciphers | None = option(
        default=None, doc="Ciphers allowed, in OpenSSL's words or as a GnuTLS priority string."
    )
    tls_try_verify_hosts: HostList | None = option(default=None, doc="Hosts asked for a certificate.")
    tls_verify_hosts: HostList | None = option(default=None, doc="Hosts that must show a valid certificate.")
    tls_verify_certificates: Template | None = option(default="system", doc="Trusted authorities.")
    tls_crl: Template | None = option(default=None, doc="Certificates that were revoked, PEM.")
    tls_alpn: ExpandedList | None = option(
        default="smtp:esmtp", doc="Protocol names to agree on when a client names some (ALPN)."
    )
    hosts_require_alpn: HostList | None = option(default=None, doc="Hosts that must name a protocol (ALPN).")
    tls_dh_max_bits: int = option(
        default=2236, doc="Largest Diffie-Hellman modulus to use; GnuTLS only.", inert="noted"
    )
    tls_dhparam: Template | None = option(
        default=None,
        doc="A file of Diffie-Hellman parameters; names of standard primes and none: OpenSSL needs none.",
    )
    tls_early_banner_hosts: HostList | None = option(
        default=None, doc="Hosts that get the banner before the handshake is quite over.", inert="noted"
    )
    tls_eccurve: ExpandedList | None = option(
        default="auto", doc="Elliptic curve to offer; of a list the first."
    )
    tls_ocsp_file: Template | None = option(
        default=None,
        doc="Proofs (OCSP) that the certificates are not revoked, to staple: DER files, PEM behind the word PEM.",
    )
    tls_remember_esmtp: bool = option(default=False, doc="Carry on after STARTTLS without a new EHLO.")
    tls_resumption_hosts: HostList | None = option(
        default=None, doc="Hosts that may take up an earlier TLS session."
    )
    openssl_options: str | None = option(
        default=None, doc="Switches of the OpenSSL library: +no_tlsv1 and the like."
    )
    gnutls_compat_mode: bool = option(
        default=False, doc="GnuTLS only: be lenient with old peers.", inert="noted"
    )
    gnutls_allow_auto_pkcs11: bool = option(
        default=False, doc="GnuTLS only: load PKCS11 modules.", inert="noted"
    )

    @property
    def openssl_bits(self) -> tuple[int, int]:
        """What `openssl_options` sets and clears. Raises OptionError."""
        on = off = 0
        for word in (self.openssl_options or "").split():
            bits = OPENSSL_OPTIONS.get(word[1:].lower()) if word[0] in "+-" else None
            if bits is None:
                raise OptionError(f'openssl_options parse error: "{word}" unrecognised')
            on, off = (on | bits, off & ~bits) if word[0] == "+" else (on & ~bits, off | bits)
        return on, off

    def __post_init__(self) -> None:
        _ = self.openssl_bits
        if self.tls_dh_max_bits < _FEWEST_BITS:
            raise OptionError(f"tls_dh_max_bits is too small, must be at least {_FEWEST_BITS} for interop")


OPENSSL_OPTIONS = {
    "all": 0x80000850,
    "allow_unsafe_legacy_renegotiation": 0x40000,
    "cipher_server_preference": 0x400000,
    "cookie_exchange": 0x2000,
    "dont_insert_empty_fragments": 0x800,
    "ephemeral_rsa": 0,
    "legacy_server_connect": 0x4,
    "microsoft_big_sslv3_buffer": 0,
    "microsoft_sess_id_bug": 0,
    "msie_sslv2_rsa_padding": 0,
    "netscape_challenge_bug": 0,
    "netscape_reuse_cipher_change_bug": 0,
    "no_compression": 0x20000,
    "no_session_resumption_on_renegotiation": 0x10000,
    "no_sslv2": 0,
    "no_sslv3": 0x2000000,
    "no_ticket": 0x4000,
    "no_tlsv1": 0x4000000,
    "no_tlsv1_1": 0x10000000,
    "no_tlsv1_2": 0x8000000,
    "no_tlsv1_3": 0x20000000,
    "safari_ecdhe_ecdsa_bug": 0x40,
    "single_dh_use": 0,
    "single_ecdh_use": 0,
    "ssleay_080_client_dh_bug": 0,
    "sslref2_reuse_cert_type_bug": 0,
    "tls_block_padding_bug": 0,
    "tls_d5_bug": 0,
    "tls_rollback_bug": 0x800000,
    "tlsext_padding": 0x10,
}
"""OpenSSL's numbers; 0: the library has nothing left to switch."""
