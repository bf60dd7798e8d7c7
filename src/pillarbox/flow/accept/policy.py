"""What one configuration says about taking mail in: worked out once at load, shared by all sessions.

A session keeps the policy it began with, so a reload never changes the rules of a conversation that is under way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from pillarbox.flow.accept.authenticators.authenticator import Authenticator
from pillarbox.flow.accept.crowding import Reserve
from pillarbox.flow.accept.etrn_command import EtrnCommand
from pillarbox.flow.accept.finish.repairs import Repairs
from pillarbox.flow.accept.from_lines import FromLines
from pillarbox.flow.accept.habits import Habits
from pillarbox.flow.accept.ident import IdentRule
from pillarbox.flow.accept.listening import Listener
from pillarbox.flow.accept.local.caller import LocalSenders
from pillarbox.flow.accept.local.checks import NO_ACLS, LocalAcls
from pillarbox.flow.accept.offering import Kept
from pillarbox.flow.accept.proxying import Proxies
from pillarbox.flow.accept.securing import TlsRules
from pillarbox.flow.accept.slowing import Pace
from pillarbox.flow.accept.space import DiskSpace
from pillarbox.flow.accept.turning import Serve
from pillarbox.flow.accept.wait_rules import WaitRules
from pillarbox.flow.check.acl.finding import ChosenAcl
from pillarbox.flow.check.acl.program import Acl
from pillarbox.flow.check.acl.state import CheckServices
from pillarbox.flow.check.dkim import DkimRules
from pillarbox.flow.main_action import MainAction
from pillarbox.flow.rewriting import Rewriting
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.expand.template import Template
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.host_names import FoundName
from pillarbox.language.match.hosts import HostList
from pillarbox.mail.reply import Reply
from pillarbox.ports.clock import Clock
from pillarbox.ports.journal import Journal
from pillarbox.ports.logins import Logins
from pillarbox.ports.network import Network
from pillarbox.ports.spool import Queued, Spool
from pillarbox.wire.exim.log_style import USUAL, LogStyle
from pillarbox.wire.smtp.session import ServerSettings

Where = Literal[
    "connect",
    "helo",
    "starttls",
    "auth",
    "mail",
    "mailauth",
    "rcpt",
    "predata",
    "data",
    "data_prdr",
    "dkim",
    "mime",
    "vrfy",
    "expn",
    "atrn",
    "etrn",
    "wellknown",
    "quit",
    "notquit",
]

if TYPE_CHECKING:
    from pillarbox.flow.accept.finish.state import Finish

Step = Callable[["Finish"], Awaitable[Reply | None]]


def _unused(_: Queued) -> None:
    """For worlds in which it does not come to that."""


async def _nobody_told(_: Queued) -> None:
    """The same."""


class AcceptPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`acls`: the ACL to run at each point; a point without one accepts, except `rcpt`, `vrfy` and `expn`, which refuse (Exim 43.3)."""

    primary_hostname: str
    qualify_domain: str
    qualify_recipient: str
    banner: Template
    received_header: Template
    acls: dict[Where, Acl | ChosenAcl]
    engine: ServerSettings
    authenticators: tuple[Authenticator, ...] = ()
    offers_auth_in_clear: bool = False
    """Without `server_advertise_condition` an authenticator is for everybody, as Exim's; False: where nobody can listen."""
    auth_hosts: HostList | None = None
    """`auth_advertise_hosts`; None: everybody."""
    tls_hosts: HostList | None = None
    tls_available: bool = False
    tls_rules: TlsRules | None = None
    """None: there is no certificate."""
    offer_hosts: tuple[tuple[str, HostList], ...] = ()
    """Extensions (fields of `Extensions`) that not everybody is offered: `chunking_advertise_hosts` and its kin."""
    offers: Kept | None = None
    """What clients were offered before; None: each is asked anew."""
    host_reject_connection: HostList | None = None
    wellknown_hosts: HostList | None = None
    """Who may say WELLKNOWN; None: nobody."""
    host_lookup: HostList | None = None
    """Hosts whose name is looked up when they connect."""
    sender_unqualified_hosts: HostList | None = None
    recipient_unqualified_hosts: HostList | None = None
    dkim: DkimRules = DkimRules()
    dkim_signers: Template | None = None
    """`dkim_verify_signers`; None: those of the signatures."""
    messages_max: int = 1000
    """`smtp_accept_max_per_connection`; 0: no limit."""
    header_line_max: int = 0
    """`header_line_maxsize`; 0: no limit."""
    habits: Habits = Habits()
    repairs: Repairs = Repairs()
    proxies: Proxies | None = None
    """`hosts_proxy`."""
    space: DiskSpace | None = None
    """None: no room need be left."""
    ident: IdentRule | None = None
    """None: nobody is asked (`rfc1413_query_timeout = 0s`)."""
    reserve: Reserve | None = None
    """None: no places are kept for anybody."""
    slowed_hosts: HostList | None = None
    """`smtp_ratelimit_hosts`."""
    mail_pace: Pace | None = None
    rcpt_pace: Pace | None = None
    queue_only: bool = False
    """Keep what comes, deliver it in queue runs."""
    wait_rules: WaitRules | None = None
    """None: nothing but `queue_only` and ACLs makes mail wait."""
    recipients_max_reject: bool = False
    local_senders: LocalSenders = LocalSenders()
    percent_hack: DomainList | None = None
    """`percent_hack_domains`; None: no local part means another address."""
    from_lines: FromLines | None = None
    """What `From ` lines look like; None: there are none."""
    local_acls: LocalAcls = NO_ACLS
    """For messages of local programs."""
    receive_timeout: float = 300.0
    """Seconds for the next command, and for the next piece of data."""
    received_headers_max: int = 30
    rewriting: Rewriting | None = None
    """None: nothing to rewrite."""
    steps: tuple[Step, ...] = ()
    """At the end of the data: those of `finish/steps.py` that have anything to do here. Empty: all."""

    async def message_id(self, own_id: str, scope: Scope, journal: Journal) -> str:
        """For a message that has none, without angle brackets."""
        return await self.repairs.message_id(own_id, self.primary_hostname, scope, journal)


class AcceptServices(msgspec.Struct, frozen=True, kw_only=True):
    """What sessions use of the world."""

    clock: Clock
    spool: Spool
    journal: Journal
    logins: Logins
    checks: CheckServices
    expansion: Services
    log_style: LogStyle = USUAL
    main_action: MainAction | None = None
    """None: the main section has no `event_action`."""
    listener: Listener | None = None
    """Hears what is asked of clients; None: nobody does."""
    network: Network | None = None
    """For `ident`."""
    host_name_of: Callable[[str], Awaitable[FoundName]]
    """Verified name of an address; for `host_lookup`. Raises ExpansionDeferred."""
    etrn: Callable[[str], bool] | None = None
    """Begin to deliver what matches, as `exim -R` does. Returns at once; false: that is being done already (`smtp_etrn_serialize`)."""
    etrn_command: EtrnCommand | None = None
    """Run in the place of that."""
    turn: Serve | None = None
    """ATRN: send a client its mail over its own connection; None: nobody does that here."""
    deliver: Callable[[Queued], None]
    """Start the first delivery. Returns at once."""
    deliver_local: Callable[[Queued], None] = _unused
    """The same, but what is for other hosts is only routed."""
    delivered: Callable[[], Awaitable[None]] | None = None
    """Where each message is delivered before the next one is taken: waits until it is."""
    begin_log: Callable[[Queued], None] = _unused
    """Write the first line of the log of a message that is going to wait."""
    tell_frozen: Callable[[Queued], Awaitable[None]] = _nobody_told
    """An ACL has frozen it: tell whom `freeze_tell` names."""
