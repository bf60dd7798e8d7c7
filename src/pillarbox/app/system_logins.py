"""Wires the machine's logins to the accounts, where `system_logins` asks for them."""

from __future__ import annotations

import os
from pathlib import Path

from pillarbox.app.helping import never_users
from pillarbox.app.services import quiet_services
from pillarbox.backends.accounts.unix import SystemLogins, UnixUsers
from pillarbox.backends.accounts.users import FileUsers
from pillarbox.config.model import Config
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.settings import Files, Logins
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import plain
from pillarbox.mail.envelope import Recipient
from pillarbox.ports.clock import Clock
from pillarbox.ports.localwork import LocalWork
from pillarbox.ports.users import SystemUser, SystemUsers


def with_system_logins(
    config: Config, accounts: FileUsers, system: SystemUsers, work: LocalWork, clock: Clock
) -> FileUsers | UnixUsers:
    """The accounts alone, when nothing else is asked for."""
    options = config.main(Logins)
    if not options.system_logins:
        return accounts
    services = quiet_services(config)
    below = Path(config.main(Files).mail_directory)

    def place_of(user: SystemUser) -> str:
        if options.system_mail_directory is None:
            return str(below / user.name)
        candidate = Candidate.first(Recipient(f"{user.name}@localhost"))
        routed = Assignment(
            candidate=candidate, router="", transport="", local_part=user.name, home=user.home
        )
        scope = Scope({Candidate: candidate, Assignment: routed}, services)
        return plain(options.system_mail_directory.expand_now(scope))

    rules = SystemLogins(
        options.pam_service,
        options.system_logins_lowest_uid,
        never_users(config),
        place_of,
        lambda user: os.getgrouplist(user.name, user.gid),
    )
    return UnixUsers(accounts, system, work, clock, rules)
