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
_EXPANDED = (
    "tls_certificate",
    "tls_privatekey",
    "tls_require_ciphers",
    "tls_verify_certificates",
    "tls_crl",
    "tls_dhparam",
    "tls_eccurve",
    "tls_alpn",
    "tls_ocsp_file",
)
Verification = Literal["no", "try", "require"]
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

    async def wish(
        self, scope: Scope, verify: Verification = "no", *, own_name: str, may_resume: bool = False
    ) -> ServerTlsWish:
        """`own_name`: ours, for a certificate that is made up where none is given. Raises NoCertificate, OptionFailed."""
        texts = {name: await self._text(name, scope) for name in _EXPANDED}
        return self._made(texts, verify, own_name=own_name, may_resume=may_resume)

    def wish_now(self, scope: Scope) -> ServerTlsWish:
        """At load, for what needs no client. Raises NoCertificate, ExpansionFailed, ExpansionDeferred, BlockingIOError."""
        texts = {name: _text_now(getattr(self.settings, name), scope) for name in _EXPANDED}
        return self._made(texts, "no")

    async def _text(self, name: str, scope: Scope) -> str | None:
        """None: forced to fail, which is as good as an option that is not set (Exim 43.6). Raises OptionFailed."""
        template: Template | None = getattr(self.settings, name)
        try:
            return (await template.expand(scope)).strip() if template is not None else ""
        except ForcedFailure:
            return None
        except (ExpansionFailed, ExpansionDeferred) as error:
            raise OptionFailed(f"expansion of {name} failed: {error}") from error

    def _made(
        self,
        texts: dict[str, str | None],
        verify: Verification,
        *,
        own_name: str = "",
        may_resume: bool = False,
    ) -> ServerTlsWish:
        """`own_name`: empty where there is no client to make up a certificate for."""
        if texts["tls_certificate"] is None:
            raise NoCertificate("expansion of tls_certificate failed")
        files, key_files = _files(texts["tls_certificate"], texts["tls_privatekey"] or "")
        if not files and not own_name:
            raise NoCertificate("there is no certificate")
        settings = self.settings
        curve = next((word for word, _ in split(texts["tls_eccurve"] or "")), "")
        parameters = texts["tls_dhparam"] or ""
        return ServerTlsWish(
            certificates=files,
            keys=key_files,
            own_name="" if files else own_name,
            verify=verify,
            authorities=texts["tls_verify_certificates"] or "" if verify != "no" else "",
            crl=texts["tls_crl"] or "" if verify != "no" else "",
            ciphers=texts["tls_require_ciphers"] or "",
            curve="" if curve == "auto" else curve,
            dh_parameters=parameters if parameters.startswith("/") else "",
            protocols=tuple(word for word, _ in split(texts["tls_alpn"] or "") if word),
            options_on=settings.openssl_bits[0],
            options_off=settings.openssl_bits[1],
            may_resume=may_resume,
            proofs=_proofs(texts["tls_ocsp_file"] or "", files),
        )

    def chooser(self, wish: ServerTlsWish, scope: Scope) -> Callable[[str], ServerTlsWish | None] | None:
        """None: the name does not matter."""
        if not self.chooses_by_name:
            return None

        def choose(name: str) -> ServerTlsWish | None:
            origin = scope.facet(Origin) or Origin()
            inner = scope.with_facet(Origin, msgspec.structs.replace(origin, tls_sni=name))
            try:
                certificates = _text_now(self.settings.tls_certificate, inner) or ""
                files, keys = _files(certificates, _text_now(self.settings.tls_privatekey, inner) or "")
                proofs = _proofs(_text_now(self.settings.tls_ocsp_file, inner) or "", files)
            except (NoCertificate, ExpansionFailed, ExpansionDeferred, BlockingIOError):
                return None
            if not files:
                return None
            return msgspec.structs.replace(wish, certificates=files, keys=keys, own_name="", proofs=proofs)

        return choose


class NoCertificate(Exception):
    """There is none that could be shown."""


class OptionFailed(Exception):
    """One of the options cannot be expanded now."""


def _files(certificates: str, keys: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Raises NoCertificate."""
    files = tuple(name for name, _ in split(certificates) if name)
    key_files = tuple(name for name, _ in split(keys) if name) or files
    if files and len(files) != len(key_files):
        raise NoCertificate("tls_certificate and tls_privatekey do not fit together")
    return files, key_files if files else ()


def _proofs(text: str, certificates: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Of `tls_ocsp_file`: (form, file), one for each certificate. A prefix says the form for those behind it as well."""
    form, found = "DER", []
    for item, _ in split(text):
        word, blank, name = item.partition(" ")
        if blank and word in ("DER", "PEM"):
            form, item = word, name.lstrip(" ")
        if item:
            found.append((form, item))
    return tuple(found[: len(certificates)])


def _text_now(template: Template | None, scope: Scope) -> str | None:
    try:
        return template.expand_now(scope).strip() if template is not None else ""
    except ForcedFailure:
        return None


class Handshake(msgspec.Struct, frozen=True):
    """All that is known of one before it begins."""

    rules: TlsRules
    wish: ServerTlsWish
    choose: Callable[[str], ServerTlsWish | None] | None
    """The certificate by the name that the client asks for."""
    verify: Verification


async def prepare(session: Session) -> Handshake | None:
    """What the configuration says of a handshake with this client, and whether it can be done: who is told `220 TLS go ahead` can count
    on a certificate. None: as for everybody. Raises DialError("tls")."""
    rules = session.policy.tls_rules
    if rules is None:
        return None
    verify = await _verification(session, rules)
    scope = session.new_scope()
    try:
        wish = await rules.wish(
            scope, verify, own_name=session.hostname, may_resume=await _is_in(session, rules.resumption_hosts)
        )
    except NoCertificate as error:
        raise DialError("tls", str(error)) from error
    except OptionFailed as error:
        session.services.journal.panic(str(error))
        raise DialError("tls", "Internal error") from error
    session.stream.prepare_tls_server(wish)
    return Handshake(rules, wish, rules.chooser(wish, scope), verify)


def log_failure(session: Session, error: DialError) -> None:
    """In Exim's words about the client, and the library's about the reason."""
    session.services.journal.main(
        f"TLS error on connection from {session.connection_name(is_known=True)} {error}"
    )


async def secure(session: Session, prepared: Handshake | None = None) -> None:
    """Shake hands, and take up what is known from then on. Raises DialError("tls")."""
    try:
        await _secure(session, prepared or await prepare(session))
    except DialError as error:
        await tell(session, "tls:fail:connect", str(error))
        raise


async def _secure(session: Session, prepared: Handshake | None) -> None:
    stream = session.stream
    if prepared is None:
        await stream.start_tls_server(HANDSHAKE_TIMEOUT)
        take_up(session, stream.tls_session() or TlsSession())
        return
    rules, verify = prepared.rules, prepared.verify
    await stream.start_tls_server(HANDSHAKE_TIMEOUT, prepared.wish, prepared.choose)
    found = stream.tls_session() or TlsSession(cipher=stream.tls_cipher)
    if not found.protocol and await _is_in(session, rules.alpn_hosts):
        raise DialError("tls", "(handshake): ALPN required but not negotiated")
    is_shown = verify != "no" and bool(found.peer_certificate)
    if is_shown and session.services.main_action is not None:
        await _show_certificate(session, found.peer_certificate)
    take_up(session, found, is_verified=is_shown and found.is_peer_good)


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
        ocsp=found.ocsp,
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
    """Bits: 0 support is there, 1 a ticket was asked for (nobody tells us; clients do), 3 one was issued, and of a resumed session 2 (it was
    offered) and 4 (it was used)."""
    rules = session.policy.tls_rules
    if rules is None or rules.resumption_hosts is None:
        return 1
    return 1 | 2 | 8 | (4 | 16 if found.is_resumed else 0)


async def log_in_by_certificate(session: Session) -> None:
    """`driver = tls` has its say once the session is under TLS."""
    rules = session.policy.tls_rules
    if rules is None or rules.authenticator is None:
        return
    driver = rules.authenticator
    step = await driver.judge(session.new_scope())
    if isinstance(step, Success):
        session.update_origin(authenticator=driver.name, authenticated_id=step.name)


async def _verification(session: Session, rules: TlsRules) -> Verification:
    if await _is_in(session, rules.verify_hosts):
        return "require"
    if await _is_in(session, rules.try_verify_hosts):
        return "try"
    return "no"


async def _is_in(session: Session, hosts: HostList | None) -> bool:
    return hosts is not None and await is_surely_in(session, hosts)
