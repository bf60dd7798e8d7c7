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


def tls_rules(config: Config) -> TlsRules:
    authenticators = tuple(one for one in config.authenticators if isinstance(one, TlsAuthenticator))
    return TlsRules(config.main(Tls), authenticators)


def usual_tls(rules: TlsRules, services: Services) -> ServerTls | TlsFileError | None:
    """For every client alike. None: it depends on the client. An error is no hindrance: who wants TLS then hears of it."""
    try:
        return server_tls(rules.wish_now(Scope({}, services)))
    except TlsFileError as error:
        return error
    except (NoCertificate, BlockingIOError, ExpansionFailed, ExpansionDeferred):
        return None
