"""Retrieval of a worker: the sessions by which people read their mail.

Stores and locks outlive a reload; what a session may do is the configuration's at its beginning. Commands have no part in this, and do not
import it.
"""

from __future__ import annotations

from pillarbox.app.mta import Mta
from pillarbox.app.world import World
from pillarbox.backends.mailstore.joined import JoinedStores
from pillarbox.backends.mailstore.mbox.store import PlacedStores
from pillarbox.backends.mailstore.remote.store import RemoteStores
from pillarbox.mailbox.imap.services import Services as ImapServices
from pillarbox.mailbox.imap.services import Settings as ImapSettings
from pillarbox.mailbox.imap.session import Session as ImapSession
from pillarbox.mailbox.pop3.services import Services as Pop3Services
from pillarbox.mailbox.pop3.services import Settings as Pop3Settings
from pillarbox.mailbox.pop3.session import Session as Pop3Session
from pillarbox.system.connection import SocketConnection
from pillarbox.system.helper.work import HelperWork
from pillarbox.wire.imap.limits import Limits as ImapLimits

DEFAULT_MESSAGE_SIZE = 52_428_800


class Mailboxes:
    def __init__(self, world: World) -> None:
        work = world.local_work
        users = RemoteStores(work.open_mail) if isinstance(work, HelperWork) else None
        self._stores = JoinedStores(PlacedStores(world.clock), users)
        self._imap = ImapServices(world.logins, self._stores, world.clock, world.journal)
        self._pop3 = Pop3Services(world.logins, self._stores, self._stores, world.clock, world.journal)

    def imap(self, connection: SocketConnection, mta: Mta) -> ImapSession:
        largest = mta.policy.engine.offer.size or DEFAULT_MESSAGE_SIZE
        settings = ImapSettings(
            limits=ImapLimits(message=largest, append=2 * largest),
            host_name=mta.local_host.primary_hostname,
            can_start_tls=mta.tls is not None,
        )
        return ImapSession(connection, self._imap, settings)

    def pop3(self, connection: SocketConnection, mta: Mta) -> Pop3Session:
        settings = Pop3Settings(host_name=mta.local_host.primary_hostname, can_start_tls=mta.tls is not None)
        return Pop3Session(connection, self._pop3, settings)

    def close(self) -> None:
        self._stores.close()
