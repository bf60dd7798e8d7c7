"""What the configuration says about bounces, warnings and domains that wait, made ready for the queue."""

from __future__ import annotations

from pillarbox.config.model import Config
from pillarbox.flow.queue.holding import Holding, Lists
from pillarbox.flow.queue.sorting import RemoteOrder
from pillarbox.flow.queue.wording import USUAL_CHARSET, Choice, parse_copies
from pillarbox.flow.settings import Bounces, Identity, Queueing
from pillarbox.flow.settings.bounces import USUAL_AUTHOR
from pillarbox.language.expand.scope import Services
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.items import split


def notice_choice(config: Config) -> Choice:
    """Raises ListSyntaxError, ExpandSyntaxError: `errors_copy` is no good."""
    bounces = config.main(Bounces)
    copies = bounces.errors_copy
    return Choice(
        bounce_file=bounces.bounce_message_file,
        warning_file=bounces.warn_message_file,
        condition=config.main(Queueing).delay_warning_condition,
        author=None if bounces.dsn_from.source == USUAL_AUTHOR else bounces.dsn_from,
        copies=parse_copies(copies.source, config.named) if copies is not None else (),
        charset=None if bounces.bounce_charset.node.constant == USUAL_CHARSET else bounces.bounce_charset,
        recipient_domain=config.main(Identity).recipient_domain,
    )


def told_of_freezing(config: Config) -> tuple[str, ...]:
    """`freeze_tell` as whole addresses."""
    domain = config.main(Identity).recipient_domain
    words = (config.main(Queueing).freeze_tell or "").replace(",", " ").split()
    return tuple(word if "@" in word else f"{word}@{domain}" for word in words)


def last_hops(config: Config) -> frozenset[str]:
    """Names of routers behind which nobody reports what became of a message."""
    return frozenset(router.name for router in config.routers if router.dsn_lasthop)


def remote_order(config: Config, services: Services) -> RemoteOrder | None:
    """None: deliveries begin in the order of their addresses. Raises ListSyntaxError."""
    wish = config.main(Queueing).remote_sort_domains
    if wish is None:
        return None
    items = [DomainList.parse(text.replace(":", "::"), config.named) for text, _ in split(wish.source)]
    return RemoteOrder(items, services)


def holding(config: Config, services: Services) -> Holding | None:
    """None when no domain waits."""
    queueing = config.main(Queueing)
    lists = Lists(
        hold=queueing.hold_domains,
        queue=queueing.queue_domains,
        queue_smtp=queueing.queue_smtp_domains,
    )
    remote = frozenset(name for name, transport in config.transports.items() if not transport.is_local)
    return None if lists == Lists() else Holding(lists, services, remote.__contains__)
