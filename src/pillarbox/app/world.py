"""The world of one process: everything that outlives a reload. Opened once, closed once.

Only here are ports bound to their implementations.
"""

from __future__ import annotations

import socket
from pathlib import Path

from pillarbox.backends.accounts.logins import AccountLogins
from pillarbox.backends.accounts.secret import shared_secret
from pillarbox.backends.accounts.users import FileUsers
from pillarbox.backends.hints.sqlite import SqliteHints
from pillarbox.backends.journal.files import FileJournal
from pillarbox.backends.lookups.driver import LookupWorld
from pillarbox.backends.lookups.registry import LookupTypes
from pillarbox.backends.mailstore.maildir.lock import FileLocks
from pillarbox.backends.mailstore.maildir.store import MaildirStores
from pillarbox.backends.spool.local import LocalSpool
from pillarbox.backends.userfiles.local import LocalUserFiles
from pillarbox.config.model import Config
from pillarbox.flow.queue.due import DueTable
from pillarbox.flow.settings import Dns, Files
from pillarbox.flow.transport.keep import ConnectionKeep
from pillarbox.system.clock import SystemClock
from pillarbox.system.dial import SystemNetwork
from pillarbox.system.dns.hosts import HostsFile
from pillarbox.system.dns.resolver import DnsResolver
from pillarbox.system.dns.servers import NameServers, parse_server
from pillarbox.system.durable import WorkThread
from pillarbox.system.passwd import PasswdUsers
from pillarbox.system.textfiles import LocalTextFiles


class World:
    """The ports of one process."""

    def __init__(self, config: Config, slot: int) -> None:
        """Opens nothing that needs a running loop; see `start`."""
        files = config.main(Files)
        self.slot = slot
        self.spool_directory = Path(files.spool_directory)
        self.clock = SystemClock()
        self.network = SystemNetwork()
        log_directory = log_directory_of(config)
        for directory in (self.spool_directory, self.spool_directory / "db", log_directory):
            directory.mkdir(parents=True, exist_ok=True)
        self.journal = FileJournal(str(log_directory), str(self.spool_directory), self.clock)
        self.due = DueTable()
        self.spool = LocalSpool(
            str(self.spool_directory),
            self.clock,
            slot=slot,
            report=self.journal.panic,
            recovered=lambda message_id: self.due.put(message_id, 0.0),
        )
        self.hints = SqliteHints(
            str(self.spool_directory / "db" / "retry.sqlite"), self.clock, report=self.journal.panic
        )
        self._work_thread = WorkThread("maildir sync")
        self.user_files = LocalUserFiles(socket.gethostname(), self._work_thread)
        servers = [parse_server(text) for text in config.main(Dns).nameservers.replace(",", " ").split()]
        self.resolver = DnsResolver(NameServers(servers), self.clock)
        self.hosts = HostsFile(self.clock)
        self.text_files = LocalTextFiles()
        self.system_users = PasswdUsers(self.clock)
        self.lookups = LookupTypes(LookupWorld(self.clock, self.resolver))
        self.users = FileUsers(
            Path(files.accounts_file),
            Path(files.mail_directory),
            self.clock,
            self.journal,
            shared_secret(self.spool_directory / "db" / "secret"),
        )
        self.logins = AccountLogins(self.users)
        self.stores = MaildirStores(self.clock)
        self.keep = ConnectionKeep(self.clock)
        self.maildrop_locks = FileLocks()

    async def start(self) -> int:
        """Open the spool: how many messages of an earlier life were found in its journal. Raises SlotInUse, OSError."""
        return await self.spool.start()

    async def stop(self) -> None:
        """Close everything, in the order in which things depend on each other."""
        self.keep.close()
        self.stores.close()
        self.users.close()
        await self.spool.stop()
        self.hints.close()
        self._work_thread.stop()
        self.journal.close()


def log_directory_of(config: Config) -> Path:
    """Exim's `log_file_path = /var/log/exim4/%slog` names the files; the directory is what we need of it."""
    path = config.main(Files).log_file_path
    if not path:
        return Path(config.main(Files).spool_directory) / "log"
    first = path.split(":")[0].strip()
    return Path(first.rpartition("/")[0] if "%s" in first else first)
