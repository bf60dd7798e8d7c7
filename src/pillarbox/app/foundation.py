"""What a configuration's queue and its sessions both stand on: expansion, ACLs, rewriting, routing; and the steps that commands put in place of
the usual ones.
"""

from __future__ import annotations

import os
from random import Random, SystemRandom

import msgspec

from pillarbox.app.debugging import acls_of
from pillarbox.app.harness import SEED, is_test_harness
from pillarbox.app.helping import local_work
from pillarbox.app.listening import own_addresses
from pillarbox.app.outside import LatePasswords
from pillarbox.app.queueing import main_action
from pillarbox.app.services import expansion_facts, local_host
from pillarbox.app.world import World
from pillarbox.backends.lookups.registry import LookupTypes
from pillarbox.config.model import Config
from pillarbox.flow.check.acl.finding import AclFinder
from pillarbox.flow.check.callout import Callouts
from pillarbox.flow.main_action import MainAction
from pillarbox.flow.queue.deliver import Delivery
from pillarbox.flow.queue.fastlane import FastLane
from pillarbox.flow.queue.runner import QueueRunner
from pillarbox.flow.rewriting import Rewriting
from pillarbox.flow.route.chain import Chain
from pillarbox.flow.route.dns_events import TellingResolver
from pillarbox.flow.route.dns_rules import checked_resolver, dns_rules
from pillarbox.flow.route.logins import login_of
from pillarbox.flow.route.services import RouteServices
from pillarbox.flow.settings import Dns, Identity, Logging, SmtpService
from pillarbox.flow.transport.run import Transports
from pillarbox.language.expand.scope import Services
from pillarbox.language.match.local_host import LocalHost
from pillarbox.ports.journal import Journal
from pillarbox.ports.passwords import Passwords


class Kinds(msgspec.Struct, frozen=True):
    """The classes that do the work; commands that tell what happens, or do as if, have others."""

    delivery: type[Delivery] = Delivery
    runner: type[QueueRunner] = QueueRunner
    lane: type[FastLane] = FastLane
    transports: type[Transports] = Transports
    chain: type[Chain] = Chain
    callouts: type[Callouts] = Callouts


class Foundation(msgspec.Struct, frozen=True, kw_only=True):
    config: Config
    world: World
    kinds: Kinds
    expansion: Services
    main_action: MainAction | None
    """None: the main section has no `event_action`."""
    local_host: LocalHost
    acls: AclFinder
    rewriting: Rewriting | None
    """None: there are no rules."""
    routing: RouteServices
    chain: Chain


def lay_foundation(config: Config, world: World, kinds: Kinds) -> Foundation:
    """Raises ConfigError."""
    addresses = world.network.local_addresses() | own_addresses(config)
    host = local_host(config, addresses)
    facts = expansion_facts(config, addresses) | {Passwords: LatePasswords(world.local_work)}
    expansion = Services(world.lookups, world.resolver, world.clock, facts)
    expansion.resolver = checked_resolver(world.resolver, config.main(Dns), expansion)
    action = main_action(config, expansion, world.journal)
    if action is not None:
        expansion.resolver = TellingResolver(expansion.resolver, action.tell)
    if isinstance(world.lookups, LookupTypes):
        world.lookups.resolve_by(expansion.resolver)
    rewriting = _rewriting(config, world.journal)
    routing = _route_services(config, world, host, expansion, rewriting)
    return Foundation(
        config=config,
        world=world,
        kinds=kinds,
        expansion=expansion,
        main_action=action,
        local_host=host,
        acls=AclFinder(acls_of(config), config.named),
        rewriting=rewriting,
        routing=routing,
        chain=kinds.chain(config.routers, routing),
    )


def _route_services(
    config: Config, world: World, host: LocalHost, expansion: Services, rewriting: Rewriting | None
) -> RouteServices:
    return RouteServices(
        language=expansion,
        local_host=host,
        hosts=world.hosts,
        files=world.text_files,
        users=world.users,
        system_users=world.system_users,
        transports={name: not transport.is_local for name, transport in config.transports.items()},
        qualify_recipient=config.main(Identity).recipient_domain,
        work=world.delivery_work,
        own_work=local_work(None),
        rewriting=rewriting,
        dns=dns_rules(config.main(Dns), expansion, world.resolver.search_list),
        tells_unknown_hosts=config.main(Logging).style.shows("host_lookup_failed"),
        percent_hack=config.main(SmtpService).percent_hack_domains,
        random=Random(SEED) if is_test_harness() else SystemRandom(),
    )


def _rewriting(config: Config, journal: Journal) -> Rewriting | None:
    if config.rewrite.is_empty:
        return None
    tells = config.main(Logging).style.shows("address_rewrite")
    return Rewriting(config.rewrite, config.main(Identity).recipient_domain, journal, tells)


def own_login() -> str:
    """Whom we run as."""
    return login_of(os.getuid())  # not $LOGNAME: that is still who started us
