"""Who asks: administrators see hidden values and macros (Exim 5.1)."""

from __future__ import annotations

import grp
import os
from pathlib import Path

from pillarbox.config.model import Config
from pillarbox.flow.route.logins import login_of
from pillarbox.flow.settings import Files, Identity, Trust


def is_admin(config: Config) -> bool:
    """Root, the mail user, and members of its group or of `admin_groups`."""
    if os.getuid() == 0:
        return True
    identity = config.main(Identity)
    if identity.exim_user and identity.exim_user == login_of(os.getuid()):
        return True
    admins = {*(config.main(Trust).admin_groups or ()), identity.exim_group} - {""}
    return not admins.isdisjoint(_group_names())


def owns_queue(config: Config) -> bool:
    """Whoever made the queue they work on is its administrator: a trial that needs no root. A queue that is not there yet has no owner."""
    spool = Path(config.main(Files).spool_directory)
    try:
        return spool.stat().st_uid == os.getuid()
    except OSError:
        return os.access(spool.parent, os.W_OK)


def _group_names() -> set[str]:
    found = set()
    for gid in {os.getgid(), *os.getgroups()}:
        try:
            found.add(grp.getgrgid(gid).gr_name)
        except KeyError:
            found.add(str(gid))
    return found


def may_administer(config: Config, uid: int, gid: int, login: str) -> bool:
    """Whether that user is an administrator: root, the mail user, and who belongs to its group or to `admin_groups` (Exim 5.2)."""
    identity = config.main(Identity)
    if uid in (0, os.geteuid()) or login == identity.exim_user:
        return True
    admins = {*(config.main(Trust).admin_groups or ()), identity.exim_group} - {""}
    return bool(admins) and not admins.isdisjoint(_groups_of(login, gid))


def is_trusted(config: Config, uid: int, gid: int, login: str) -> bool:
    """Whether that user may say who sends: root, the mail user, `trusted_users`, `trusted_groups` (Exim 5.2)."""
    trust = config.main(Trust)
    if uid == 0 or login == config.main(Identity).exim_user:
        return True
    if login in trust.trusted_users or str(uid) in trust.trusted_users:
        return True
    groups = set(trust.trusted_groups or ())
    return bool(groups) and not groups.isdisjoint(_groups_of(login, gid))


def _groups_of(login: str, gid: int) -> set[str]:
    """Names and numbers of all groups of a user."""
    try:
        gids = {gid, *os.getgrouplist(login, gid)}
    except KeyError:
        gids = {gid}
    return {name for each in gids for name in (str(each), *_group_name(each))}


def _group_name(gid: int) -> list[str]:
    try:
        return [grp.getgrgid(gid).gr_name]
    except KeyError:
        return []
