"""What a transport may ask of the world: ports, expansion services, and the connections kept open."""

from __future__ import annotations

from collections.abc import Callable

from pillarbox.flow.transport.keep import ConnectionKeep
from pillarbox.flow.transport.login import ClientAuthenticator
from pillarbox.language.expand.scope import Services
from pillarbox.mail.outcome import Deferred
from pillarbox.ports.clock import Clock
from pillarbox.ports.dns import Resolver
from pillarbox.ports.hints import Hints
from pillarbox.ports.journal import Journal
from pillarbox.ports.network import Network
from pillarbox.ports.userfiles import UserFiles


class TransportServices:
    """Made once per worker by the wiring."""

    __slots__ = (
        "authenticators",
        "clock",
        "expansion",
        "hints",
        "hostname",
        "journal",
        "keep",
        "network",
        "note_host_failure",
        "resolver",
        "retry_data_expire",
        "user_files",
    )

    def __init__(
        self,
        *,
        expansion: Services,
        network: Network,
        user_files: UserFiles,
        hints: Hints,
        journal: Journal,
        hostname: str,
        keep: ConnectionKeep | None = None,
        retry_data_expire: float = 7 * 86400.0,
        authenticators: tuple[ClientAuthenticator, ...] = (),
    ) -> None:
        self.expansion = expansion
        self.clock: Clock = expansion.clock
        self.resolver: Resolver = expansion.resolver
        self.network = network
        self.user_files = user_files
        self.hints = hints
        self.journal = journal
        self.hostname = hostname
        """`primary_hostname`."""
        self.keep = keep or ConnectionKeep(expansion.clock)
        self.retry_data_expire = retry_data_expire
        """Older hints count as none (Exim 32.9)."""
        self.authenticators = authenticators
        """Those that can log in at other hosts, in the configuration's order."""
        self.note_host_failure: Callable[[Deferred, str | None, float, float], object] = _forget
        """(deferral, sender, received at, now): keep the failure of a host whose addresses another host took. The queue sets it."""


def _forget(deferred: Deferred, sender: str | None, received_at: float, now: float) -> None:
    """Without a queue nobody keeps retry times."""
