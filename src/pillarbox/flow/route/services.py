"""What routing may ask of the world, gathered once when the program is put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random, SystemRandom

from pillarbox.flow.rewriting import Rewriting
from pillarbox.flow.route.dns_rules import DnsRules
from pillarbox.language.expand.scope import Services
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.local_host import LocalHost
from pillarbox.ports.dns import HostTable
from pillarbox.ports.localwork import LocalWork
from pillarbox.ports.textfiles import TextFiles
from pillarbox.ports.users import SystemUsers, Users


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteServices:
    """`language.resolver` is the DNS for routers too."""

    language: Services
    local_host: LocalHost
    """Our name and addresses: the `self` test (with everything on loopback), `@` in lists."""
    hosts: HostTable
    files: TextFiles
    users: Users | None = None
    """For `check_account`."""
    system_users: SystemUsers | None = None
    """For `check_local_user`."""
    transports: Mapping[str, bool] = field(default_factory=dict)
    """Configured transports: whether each is remote, that is, wants its hosts' addresses."""
    qualify_recipient: str = ""
    """Domain for addresses without one in redirection lists."""
    work: LocalWork | None = None
    """Reads users' files and runs commands as they; None: files are read as ourselves, and there are no commands."""
    own_work: LocalWork | None = None
    """The same as ourselves, for what is nobody's in particular."""
    rewriting: Rewriting | None = None
    """For addresses that redirection makes."""
    facets: Mapping[type, object] = field(default_factory=dict)
    """More facets for the scope of a delivery's routing: `Config.main_facets`."""
    dns: DnsRules = field(default_factory=DnsRules)
    tells_unknown_hosts: bool = True
    """A host without an address gets a line in the log (`log_selector = +host_lookup_failed`)."""
    percent_hack: DomainList | None = None
    """Domains in which `user%other` means another address; None: in none."""
    random: Random = field(default_factory=SystemRandom)
    """Shuffles hosts of equal preference."""
