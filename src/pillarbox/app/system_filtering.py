"""The system filter that a configuration wants, made ready (Exim chapter 45)."""

from __future__ import annotations

from pillarbox.app.helping import local_work
from pillarbox.config.model import Config
from pillarbox.flow.queue.system_filter import Plan, SystemFilter
from pillarbox.flow.route.logins import group_id, user_ids
from pillarbox.flow.settings import Identity, Queueing
from pillarbox.language.expand.scope import Services
from pillarbox.ports.localwork import Actor, LocalWork


def system_filter(config: Config, services: Services, work: LocalWork) -> SystemFilter | None:
    """None: there is none. `work`: reads it as `system_filter_user`, where one is named."""
    queueing = config.main(Queueing)
    if queueing.system_filter is None:
        return None
    named = {
        "file": queueing.system_filter_file_transport,
        "directory": queueing.system_filter_directory_transport,
        "pipe": queueing.system_filter_pipe_transport,
        "reply": queueing.system_filter_reply_transport,
    }
    actor = _actor(queueing)
    plan = Plan(
        file=queueing.system_filter,
        transports={kind: name for kind, name in named.items() if name is not None},  # type: ignore[misc]
        known_transports=frozenset(config.transports),
        actor=actor,
        qualify_domain=config.main(Identity).recipient_domain,
    )
    return SystemFilter(plan, services, work if actor is not None else local_work(None), config.main_facets)


def _actor(queueing: Queueing) -> Actor | None:
    if not queueing.system_filter_user:
        return None
    uid, gid = user_ids(queueing.system_filter_user)
    if queueing.system_filter_group:
        gid = group_id(queueing.system_filter_group)
    return None if uid is None or gid is None else Actor(uid, gid)
