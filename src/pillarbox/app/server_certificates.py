"""TLS for those who come: what the configuration says of it, made ready for every client alike as far as that can be done."""

from __future__ import annotations

from pillarbox.config.model import Config
from pillarbox.flow.accept.authenticators.tls import Tls as TlsAuthenticator
from pillarbox.flow.accept.securing import NoCertificate, TlsRules
from pillarbox.flow.settings import Tls
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.system.server_tls import ServerTls, server_tls
from pillarbox.system.tls import TlsFileError


def tls_rules(config: Config, *, is_needed: bool = True) -> TlsRules | None:
    """None: no `tls_certificate`. One that is not needed yet is treated like one that depends on the client."""
    if config.main(Tls).tls_certificate is None:
        return None
    rules = TlsRules(
        config.main(Tls), tuple(one for one in config.authenticators if isinstance(one, TlsAuthenticator))
    )
    rules.is_constant = rules.is_constant and is_needed
    return rules


def usual_tls(rules: TlsRules | None, services: Services) -> ServerTls | None:
    """For every client alike; what needs to know the client is looked at when one comes. Raises TlsFileError."""
    if rules is None:
        return None
    try:
        return server_tls(rules.wish_now(Scope({}, services)))
    except NoCertificate:
        return None
    except (BlockingIOError, ExpansionFailed, ExpansionDeferred, TlsFileError):
        if rules.is_constant:
            raise
        return None
