"""As whom and where a local delivery runs (Exim chapter 23): user, group, further groups, home and current directory.

The transport's settings come before the router's. Nobody named: ourselves (Exim's "exim uid"). Never root, never one of `never_users`:
the delivery is deferred, as for a name that is not known, and the panic log tells of it.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.services import TransportServices
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.ports.localwork import Actor
from pillarbox.ports.users import SystemUser
from pillarbox.wire.exim.error_numbers import CANNOT_EXPAND, NO_GROUP, NO_USER, NOT_ABSOLUTE


class Unfit(Exception):
    """The delivery cannot be run so: defer. `str()` is Exim's text, for the log; `number` Exim's, for the retry hint."""

    def __init__(self, text: str, number: int = 0) -> None:
        super().__init__(text)
        self.number = number


class Setting(Protocol):
    """The generic options that choose them."""

    @property
    def name(self) -> str: ...
    @property
    def user(self) -> Template | None: ...
    @property
    def group(self) -> Template | None: ...
    @property
    def initgroups(self) -> bool: ...
    @property
    def home_directory(self) -> Template | None: ...
    @property
    def current_directory(self) -> Template | None: ...


class Surroundings(msgspec.Struct, frozen=True):
    actor: Actor | None
    """None: ourselves."""
    home: str
    directory: str
    """The current one: absolute."""


async def surroundings_of(
    transport: Setting,
    assignment: Assignment,
    scope: Scope,
    services: TransportServices,
    *,
    creator: tuple[int, int] | None = None,
) -> Surroundings:
    """`creator`: uid and gid that submitted the message, where the transport wants to run as them. Raises Unfit, ExpansionDeferred."""
    actor = None
    if assignment.user or assignment.group or transport.user or transport.group or creator is not None:
        actor = await _actor(transport, assignment, scope, services, creator)
    home = assignment.home
    if transport.home_directory is not None:
        home = await _directory("home", transport.home_directory, scope, transport.name)
    elif assignment.no_home[0]:
        raise Unfit(
            f"{assignment.no_home[0]} for {transport.name} transport{assignment.no_home[1]}",
            _number_of(assignment.no_home),
        )
    current = assignment.current_directory or home or "/"
    if transport.current_directory is not None:
        current = await _directory("current", transport.current_directory, scope, transport.name)
    elif assignment.no_current[0]:
        raise Unfit(
            f"{assignment.no_current[0]} for {transport.name} transport{assignment.no_current[1]}",
            _number_of(assignment.no_current),
        )
    return Surroundings(actor, home, current)


async def _actor(
    transport: Setting,
    assignment: Assignment,
    scope: Scope,
    services: TransportServices,
    creator: tuple[int, int] | None,
) -> Actor | None:
    uid, gid, login, with_all_groups = -1, -1, "", False
    if assignment.user:
        found = _user(assignment.user, services)
        uid, gid, login, with_all_groups = found.uid, found.gid, found.name, assignment.initgroups
    if assignment.group:
        gid = _group(assignment.group, assignment.group, transport.name, services)
    has_own_group = transport.group is not None
    if transport.group is not None:
        text = await _expanded("group", transport.group, scope, transport.name)
        gid = _group(text, transport.group.source, transport.name, services)
    if transport.user is not None:
        text = await _expanded("user", transport.user, scope, transport.name)
        named = services.identities.user(text)
        if named is None:
            raise Unfit(_unknown("user", text, transport.user.source, transport.name), NO_USER)
        uid, login, with_all_groups = named.uid, named.name, transport.initgroups
        if not has_own_group:
            gid = -1 if text.isdigit() else named.gid
    elif creator is not None:
        uid, login = creator[0], ""
        gid = gid if has_own_group else creator[1]
    return _checked(uid, gid, login, with_all_groups, transport.name, services)


def _checked(
    uid: int, gid: int, login: str, with_all_groups: bool, name: str, services: TransportServices
) -> Actor | None:
    if uid < 0:
        return None
    if gid < 0:
        raise Unfit(f"User set without group for {name} transport", NO_GROUP)
    if uid == 0 or uid in services.never_users:
        kind = "never_users" if uid in services.never_users else "fixed_never_users"
        raise Unfit(f"User {uid} set for {name} transport is on the {kind} list", NO_USER)
    groups = services.identities.groups_of(login, gid) if with_all_groups and login else ()
    return Actor(uid, gid, groups)


def _user(text: str, services: TransportServices) -> SystemUser:
    found = services.identities.user(text)
    if found is None:
        raise Unfit(f'Failed to find user "{text}"', NO_USER)
    return found


def _group(text: str, source: str, name: str, services: TransportServices) -> int:
    found = services.identities.group(text)
    if found is None:
        raise Unfit(_unknown("group", text, source, name), NO_GROUP)
    return found


def _unknown(what: str, text: str, source: str, name: str) -> str:
    return f'Failed to find {what} "{text}" from expanded string "{source}" for the {name} transport'


async def _expanded(what: str, template: Template, scope: Scope, name: str) -> str:
    try:
        return await template.expand(scope)
    except ExpansionFailed as error:
        text = f'Failed to expand {what} string "{template.source}" for the {name} transport: {error}'
        raise Unfit(text, NO_USER if what == "user" else NO_GROUP) from None


async def _directory(what: str, template: Template, scope: Scope, name: str) -> str:
    try:
        path = await template.expand(scope)
    except ExpansionFailed as error:
        text = f'{what} directory "{template.source}" failed to expand for {name} transport: {error}'
        raise Unfit(text, CANNOT_EXPAND) from None
    if not path.startswith("/"):
        raise Unfit(f'{what} directory path "{path}" is not absolute for {name} transport', NOT_ABSOLUTE)
    return path


def _number_of(trouble: tuple[str, str]) -> int:
    """Of a directory that a router has named: it could not be expanded, or is not absolute."""
    return CANNOT_EXPAND if trouble[1] else NOT_ABSOLUTE
