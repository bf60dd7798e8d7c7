"""TLS with a client: what is wished of the handshake, and what it has come to (Exim chapter 43).

Most configurations wish the same of every client. Where a string or a host list says otherwise, it is asked when the handshake is due.
A certificate by `$tls_in_sni` is chosen when the client has named the host it wants; that happens inside the handshake, where nothing can
wait: a lookup there that is not answered from memory leaves the certificate as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from pillarbox.flow.accept.events import tell
from pillarbox.flow.accept.membership import is_surely_in
from pillarbox.flow.facets.session import TlsInFacts
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.match.hosts import HostList
from pillarbox.language.match.items import split
from pillarbox.mail.certificates import name_of
from pillarbox.mail.envelope import Origin
from pillarbox.ports.logins import Success
from pillarbox.ports.network import DialError, ServerTlsWish, TlsSession

if TYPE_CHECKING:
    from pillarbox.flow.accept.authenticators.tls import Tls as TlsAuthenticator
    from pillarbox.flow.accept.session import Session
    from pillarbox.flow.settings.tls import Tls as TlsSettings

HANDSHAKE_TIMEOUT = 60.0
MOST_REMEMBERED = 1000
_TEXTS = (
    "tls_require_ciphers",
    "tls_verify_certificates",
    "tls_crl",
    "tls_dhparam",
    "tls_eccurve",
    "tls_alpn",
)
_BY_NAME = ("tls_in_sni", "tls_sni")


class TlsRules:
    """What the main options of TLS say."""

    def __init__(self, settings: TlsSettings, authenticators: tuple[TlsAuthenticator, ...] = ()) -> None:
        self.settings = settings
        self.authenticator = authenticators[0] if authenticators else None
        """`driver = tls`."""
        self.verify_hosts = settings.tls_verify_hosts
        self.try_verify_hosts = settings.tls_try_verify_hosts
        self.alpn_hosts = settings.hosts_require_alpn
        self.resumption_hosts = settings.tls_resumption_hosts
        self.remembers_helo = settings.tls_remember_esmtp
        sources = [t.source for t in (settings.tls_certificate, settings.tls_privatekey) if t is not None]
        self.chooses_by_name = any(name in source for source in sources for name in _BY_NAME)
        files = (settings.tls_certificate, settings.tls_privatekey)
        self.is_constant = all(template is None or template.is_constant for template in files)
        """The certificate is the same for everybody."""
        self._bad_clients: dict[str, None] = {}

    def is_bad(self, address: str) -> bool:
        """It has shown a certificate that is not good: it is not asked for one again where that was only worth a try."""
        return address in self._bad_clients

    def note_bad(self, address: str) -> None:
        if len(self._bad_clients) >= MOST_REMEMBERED:
            self._bad_clients.pop(next(iter(self._bad_clients)))
        self._bad_clients[address] = None

    async def wish(
        self, scope: Scope, verify: Literal["no", "try", "require"] = "no", *, may_resume: bool = False
    ) -> ServerTlsWish:
        """Raises NoCertificate, ExpansionFailed, ExpansionDeferred."""
        settings = self.settings
        texts = {name: await _text(getattr(settings, name), scope) for name in _TEXTS}
        certificates = await _text(settings.tls_certificate, scope)
        keys = await _text(settings.tls_privatekey, scope)
        return self._made(texts, certificates, keys, verify, may_resume=may_resume)

    def wish_now(self, scope: Scope) -> ServerTlsWish:
        """At load, for what needs no client. Raises NoCertificate, ExpansionFailed, ExpansionDeferred, BlockingIOError."""
        settings = self.settings
        texts = {name: _text_now(getattr(settings, name), scope) for name in _TEXTS}
        certificates = _text_now(settings.tls_certificate, scope)
        return self._made(texts, certificates, _text_now(settings.tls_privatekey, scope), "no")

    def _made(
        self,
        texts: dict[str, str],
        certificates: str,
        keys: str,
        verify: Literal["no", "try", "require"],
        *,
        may_resume: bool = False,
    ) -> ServerTlsWish:
        files, key_files = _files(certificates, keys)
        settings = self.settings
        curve = next((word for word, _ in split(texts["tls_eccurve"])), "")
        return ServerTlsWish(
            certificates=files,
            keys=key_files,
            verify=verify,
            authorities=texts["tls_verify_certificates"] if verify != "no" else "",
            crl=texts["tls_crl"] if verify != "no" else "",
            ciphers=texts["tls_require_ciphers"],
            curve="" if curve == "auto" else curve,
            dh_parameters=texts["tls_dhparam"] if texts["tls_dhparam"].startswith("/") else "",
            protocols=tuple(word for word, _ in split(texts["tls_alpn"]) if word),
            options_on=settings.openssl_bits[0],
            options_off=settings.openssl_bits[1],
            may_resume=may_resume,
        )

    def chooser(self, wish: ServerTlsWish, scope: Scope) -> Callable[[str], ServerTlsWish | None] | None:
        """None: the name does not matter."""
        if not self.chooses_by_name:
            return None

        def choose(name: str) -> ServerTlsWish | None:
            origin = scope.facet(Origin) or Origin()
            inner = scope.with_facet(Origin, msgspec.structs.replace(origin, tls_sni=name))
            try:
                certificates = _text_now(self.settings.tls_certificate, inner)
                files, keys = _files(certificates, _text_now(self.settings.tls_privatekey, inner))
            except (NoCertificate, ExpansionFailed, ExpansionDeferred, BlockingIOError):
                return None
            return msgspec.structs.replace(wish, certificates=files, keys=keys)

        return choose


class NoCertificate(Exception):
    """`tls_certificate` comes to nothing."""


def _files(certificates: str, keys: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Raises NoCertificate."""
    files = tuple(name for name, _ in split(certificates) if name)
    key_files = tuple(name for name, _ in split(keys) if name) or files
    if not files or len(files) != len(key_files):
        raise NoCertificate(
            "tls_certificate and tls_privatekey do not fit together" if files else "there is no certificate"
        )
    return files, key_files


async def _text(template: Template | None, scope: Scope) -> str:
    """A forced failure is as good as an option that is not set (Exim 43.6)."""
    try:
        return (await template.expand(scope)).strip() if template is not None else ""
    except ForcedFailure:
        return ""


def _text_now(template: Template | None, scope: Scope) -> str:
    try:
        return template.expand_now(scope).strip() if template is not None else ""
    except ForcedFailure:
        return ""


async def secure(session: Session) -> None:
    """Shake hands, and take up what is known from then on. Raises DialError("tls")."""
    try:
        await _secure(session)
    except DialError as error:
        await tell(session, "tls:fail:connect", str(error))
        raise


async def _secure(session: Session) -> None:
    rules, address = session.policy.tls_rules, session.origin.host_address
    if rules is None:
        await session.stream.start_tls_server(HANDSHAKE_TIMEOUT)
        take_up(session, session.stream.tls_session() or TlsSession())
        return
    verify = await _verification(session, rules)
    scope = session.new_scope()
    try:
        wish = await rules.wish(scope, verify, may_resume=await _is_in(session, rules.resumption_hosts))
    except (NoCertificate, ExpansionFailed, ExpansionDeferred) as error:
        raise DialError("tls", f"(server setup): {error}") from error
    try:
        await session.stream.start_tls_server(HANDSHAKE_TIMEOUT, wish, rules.chooser(wish, scope))
    except DialError as error:
        if verify == "try" and "certificate verify failed" in str(error):
            rules.note_bad(address)
        raise
    found = session.stream.tls_session() or TlsSession(cipher=session.stream.tls_cipher)
    if not found.protocol and await _is_in(session, rules.alpn_hosts):
        raise DialError("tls", "(handshake): ALPN required but not negotiated")
    is_shown = verify != "no" and bool(found.peer_certificate)
    if is_shown and session.services.main_action is not None:
        await _show_certificate(session, found.peer_certificate)
    take_up(session, found, is_verified=is_shown)


async def _show_certificate(session: Session, certificate: bytes) -> None:
    """To `event_action`; what it says is why not to believe it. Raises DialError."""
    said = await tell(session, "tls:cert", "0", {TlsInFacts: TlsInFacts(peercert=certificate)})
    if said:
        session.services.journal.main(
            f"{session.described()} SSL verify denied by event-action: depth=0: {said}"
        )
        raise DialError("tls", "(certificate verify failed)")


def take_up(session: Session, found: TlsSession, *, is_verified: bool = False) -> None:
    peer_name = name_of(found.peer_certificate) if found.peer_certificate else ""
    session.tls = TlsInFacts(
        bits=found.bits,
        certificate_verified=int(is_verified),
        resumption=_resumption(session, found),
        ourcert=found.own_certificate,
        peercert=found.peer_certificate,
        peerdn=peer_name,
    )
    session.update_origin(
        tls_cipher=found.cipher,
        tls_resumed=found.is_resumed,
        tls_sni=found.sni,
        tls_verified=is_verified,
        tls_peer_name=peer_name,
    )


def _resumption(session: Session, found: TlsSession) -> int:
    """Bits: 0 support is there, 3 a ticket was issued, and of a resumed session 2 (it was offered) and 4 (it was used)."""
    rules = session.policy.tls_rules
    if rules is None or rules.resumption_hosts is None:
        return 1
    return 1 | 8 | (4 | 16 if found.is_resumed else 0)


async def log_in_by_certificate(session: Session) -> None:
    """`driver = tls` has its say once the session is under TLS."""
    rules = session.policy.tls_rules
    if rules is None or rules.authenticator is None:
        return
    driver = rules.authenticator
    step = await driver.judge(session.new_scope())
    if isinstance(step, Success):
        session.update_origin(authenticator=driver.name, authenticated_id=step.name)


async def _verification(session: Session, rules: TlsRules) -> Literal["no", "try", "require"]:
    if await _is_in(session, rules.verify_hosts):
        return "require"
    if await _is_in(session, rules.try_verify_hosts) and not rules.is_bad(session.origin.host_address):
        return "try"
    return "no"


async def _is_in(session: Session, hosts: HostList | None) -> bool:
    return hosts is not None and await is_surely_in(session, hosts)
