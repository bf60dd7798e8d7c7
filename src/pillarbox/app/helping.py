"""The root helper from the programs' side: forked before root is given up, handed to the processes that deliver."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable

from pillarbox.backends.userfiles.delivering import deliver_file
from pillarbox.config.model import Config
from pillarbox.flow.settings import Identity
from pillarbox.ports.localwork import LocalWork
from pillarbox.system.clock import SystemClock
from pillarbox.system.helper.identity import Bounds
from pillarbox.system.helper.mail import ServeMail
from pillarbox.system.helper.own import OwnWork
from pillarbox.system.helper.passwords import check_login
from pillarbox.system.helper.process import HelperEnd, start
from pillarbox.system.helper.unprivileged import UnprivilegedWork
from pillarbox.system.helper.work import HelperWork


def start_helper(config: Config) -> HelperEnd | None:
    """None without root: then everything is done as ourselves. Call it before threads and loops, and while still root."""
    if os.geteuid() != 0:
        return None
    return start(Bounds(never_users(config)), deliver_file, check_login, mail_server)


def mail_server() -> ServeMail:
    """What a process does that becomes a user for good. The mail store is loaded only then: most helpers never serve mail so."""
    from pillarbox.backends.mailstore.remote.server import serve

    return lambda channel, home: serve(channel, home, SystemClock())


def never_users(config: Config) -> frozenset[int]:
    """uids that no delivery may run as, besides root's."""
    return frozenset(map(_uid_of, config.main(Identity).never_users or ()))


def _uid_of(name: str) -> int:
    """-1, which nobody is, for a name that has gone."""
    if name.isdigit():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return -1


def local_work(helper: HelperEnd | None, say: Callable[[str], None] = lambda _: None) -> LocalWork:
    """For one process. `say`: into the log."""
    return OwnWork(deliver_file, check_login) if helper is None else HelperWork(helper, say)


def delivery_work(config: Config, any_work: LocalWork) -> LocalWork:
    """What routers and transports have of it. Logins and mailboxes keep all of it."""
    identity = config.main(Identity)
    if not (identity.deliver_drop_privilege or identity.mua_wrapper):
        return any_work
    return UnprivilegedWork(OwnWork(deliver_file, check_login))
