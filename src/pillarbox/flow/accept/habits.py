"""How we treat this client: options that are lists of hosts or strings to expand, and what they come to for one connection (Exim 14, 48).

Where such an option has its usual value nothing is asked: the engine's settings of the policy are right for everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pillarbox.config.kinds import parse_duration, parse_integer
from pillarbox.flow.accept.membership import is_surely_in
from pillarbox.flow.accept.paths import PathRules
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.template import Template
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.hosts import HostList

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """Named as the options are. None of a host list is told apart: see each."""

    active_hostname: Template | None = None
    """`smtp_active_hostname`; None: `primary_hostname`."""
    helo_accept_junk_hosts: HostList | None = None
    helo_verify_hosts: HostList | None = None
    helo_try_verify_hosts: HostList | None = None
    helo_lookup_domains: DomainList | None = None
    helo_optional: bool = False
    """Nobody needs to say HELO: `hosts_require_helo` is empty."""
    helo_hosts: HostList | None = None
    """`hosts_require_helo`; None: everybody, unless `helo_optional`."""
    nonmail_hosts: HostList | None = None
    """`smtp_accept_max_nonmail_hosts`; None: everybody."""
    nonmail_is_free: bool = False
    """It is empty."""
    pipeconnect: bool = False
    pipeconnect_hosts: HostList | None = None
    """None: everybody, where `pipeconnect`."""
    size_limit: Template | None = None
    """`message_size_limit`, `recipients_max`, `smtp_accept_max_per_connection`, `smtp_receive_timeout`: only where they differ from client
    to client."""
    recipients_max: Template | None = None
    messages_max: Template | None = None
    receive_timeout: Template | None = None
    nolog_hosts: HostList | None = None
    """`hosts_connection_nolog`."""
    paths: PathRules = PathRules()
    etrn_takes_anything: bool = False

    @property
    def are_usual(self) -> bool:
        """No setting of the engine differs from client to client."""
        return not (
            self.helo_accept_junk_hosts
            or self.helo_hosts
            or self.nonmail_hosts
            or self.pipeconnect
            or self.size_limit
            or self.recipients_max
            or self.messages_max
            or self.receive_timeout
            or self.active_hostname
        )


async def take_up(session: Session) -> None:
    """Give the session the settings of its client."""
    habits, settings = session.policy.habits, session.policy.engine
    changes: dict[str, object] = {}
    if habits.helo_accept_junk_hosts is not None and await is_surely_in(
        session, habits.helo_accept_junk_hosts
    ):
        changes["helo_accept_junk"] = True
    if habits.helo_hosts is not None:
        changes["helo_required"] = await is_surely_in(session, habits.helo_hosts)
    if habits.nonmail_hosts is not None and not await is_surely_in(session, habits.nonmail_hosts):
        changes["nonmail_max"] = -1
    if habits.pipeconnect and session.local is None:
        hosts = habits.pipeconnect_hosts
        changes["early_pipelining"] = hosts is None or await is_surely_in(session, hosts)
    if habits.size_limit is not None:
        size = await _number(session, habits.size_limit, "message_size_limit")
        changes["offer"] = msgspec.structs.replace(settings.offer, size=size)
    if habits.recipients_max is not None:
        changes["recipients_max"] = await _number(session, habits.recipients_max, "recipients_max")
    if habits.messages_max is not None:
        session.messages_max = await _number(session, habits.messages_max, "smtp_accept_max_per_connection")
    if habits.receive_timeout is not None:
        session.receive_timeout = await _seconds(session, habits.receive_timeout) or session.receive_timeout
    if changes:
        session.engine.adopt(msgspec.structs.replace(settings, **changes))


async def _expanded(session: Session, template: Template, name: str) -> str:
    try:
        return (await template.expand(session.new_scope())).strip()
    except (ExpansionDeferred, ExpansionFailed) as error:
        session.services.journal.panic(f"unable to expand {name}: {error}")
        return ""


async def _number(session: Session, template: Template, name: str) -> int:
    text = await _expanded(session, template, name)
    try:
        return parse_integer(text) if text else 0
    except ValueError as error:
        session.services.journal.panic(f"{name}: {error}")
        return 0


async def _seconds(session: Session, template: Template) -> float:
    text = await _expanded(session, template, "smtp_receive_timeout")
    try:
        return parse_duration(text) if text else 0.0
    except ValueError as error:
        session.services.journal.panic(f"smtp_receive_timeout: {error}")
        return 0.0
