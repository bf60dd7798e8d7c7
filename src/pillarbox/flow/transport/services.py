"""What a transport may ask of the world: ports, expansion services, and the connections kept open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from pillarbox.flow.route.services import RouteServices
from pillarbox.flow.transport.keep import ConnectionKeep
from pillarbox.flow.transport.login import ClientAuthenticator
from pillarbox.flow.transport.waiting import Waiting
from pillarbox.language.expand.scope import Services
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import Deferred
from pillarbox.ports.clock import Clock
from pillarbox.ports.dns import Resolver
from pillarbox.ports.hint_records import HintRecords
from pillarbox.ports.hints import Hints
from pillarbox.ports.identities import Identities, NoIdentities
from pillarbox.ports.journal import Journal
from pillarbox.ports.localwork import LocalWork, NoLocalWork
from pillarbox.ports.network import Network
from pillarbox.ports.userfiles import UserFiles
from pillarbox.wire.exim.log_style import USUAL


class Inject(Protocol):
    """Take a message that we made ourselves into the spool and deliver it (flow/queue/inject.py)."""

    def new_id(self) -> str: ...

    async def __call__(self, envelope: Envelope, message: Message, parent_id: str) -> None:
        """`parent_id`: the message that it is about (`R=` in the log). Raises SpoolFull."""
        ...


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Main options that local transports see."""

    qualify_domain: str
    """For senders."""
    recipient_domain: str
    timezone: str = ""
    """`TZ` of commands; empty: none."""
    login: str = ""
    """Our own login name."""
    return_size_limit: int = 102400
    """`bounce_return_size_limit`: of the message that an autoreply returns; 0: no limit."""


class TransportServices:
    """Made once per worker by the wiring."""

    __slots__ = (
        "authenticators",
        "clock",
        "expansion",
        "full_name_of",
        "hints",
        "hostname",
        "identities",
        "inject",
        "journal",
        "keep",
        "keeps_idle",
        "local_work",
        "login",
        "network",
        "never_users",
        "note_host_failure",
        "qualify_domain",
        "recipient_domain",
        "records",
        "resolver",
        "retry_data_expire",
        "return_size_limit",
        "routing",
        "style",
        "timezone",
        "transports",
        "user_files",
        "waiting",
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
        local_work: LocalWork | None = None,
        identities: Identities | None = None,
        never_users: frozenset[int] = frozenset(),
        site: Site | None = None,
        routing: RouteServices | None = None,
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
        self.keep = ConnectionKeep(expansion.clock) if keep is None else keep
        self.retry_data_expire = retry_data_expire
        """Older hints count as none (Exim 32.9)."""
        self.authenticators = authenticators
        """Those that can log in at other hosts, in the configuration's order."""
        self.local_work: LocalWork = local_work or NoLocalWork()
        self.identities: Identities = identities or NoIdentities()
        self.never_users = never_users
        """uids, besides root's."""
        site = site or Site(qualify_domain=hostname, recipient_domain=hostname)
        self.qualify_domain = site.qualify_domain
        self.recipient_domain = site.recipient_domain
        self.timezone = site.timezone
        self.login = site.login
        self.return_size_limit = site.return_size_limit
        self.transports: Mapping[str, object] = {}
        """By name: a transport may hand its job to another. `Transports` sets it."""
        self.routing = routing
        """Finds the hosts that a transport names itself."""
        self.full_name_of: Callable[[str], str] = _no_name
        """Login name → what the machine knows as its owner's name. The wiring sets it."""
        self.inject: Inject | None = None
        """Takes messages that transports make. The queue sets it."""
        self.records: HintRecords | None = None
        """What hosts have offered (`hosts_pipe_connect`). The wiring sets it; None: it is not kept."""
        self.waiting: Waiting | None = None
        """Messages that wait for hosts. The wiring sets it; None: each waits for its own time."""
        self.keeps_idle = True
        """Connections are kept for a while for any message; else for the same one, or one that waits for the host."""
        self.style = USUAL
        """What log lines show. The wiring sets it."""
        self.note_host_failure: Callable[[Deferred, str | None, float, float], object] = _forget
        """(deferral, sender, received at, now): keep the failure of a host whose addresses another host took. The queue sets it."""


def _no_name(login: str) -> str:
    """Without a machine nobody has a name."""
    return ""


def _forget(deferred: Deferred, sender: str | None, received_at: float, now: float) -> None:
    """Without a queue nobody keeps retry times."""
