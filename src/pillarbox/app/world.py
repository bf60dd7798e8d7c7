"""The world of one process: everything that outlives a reload. Opened once, closed once.

Only here are ports bound to their implementations.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from pillarbox.app.harness import is_test_harness
from pillarbox.app.helping import delivery_work, local_work
from pillarbox.app.log_directory import log_directory_of, log_targets, syslog_style
from pillarbox.app.resolving import dns_resolver
from pillarbox.app.services import lookup_settings
from pillarbox.app.slow_lookups import timed
from pillarbox.app.system_logins import with_system_logins
from pillarbox.app.zone import use_timezone
from pillarbox.backends.accounts.logins import AccountLogins
from pillarbox.backends.accounts.secret import shared_secret
from pillarbox.backends.accounts.users import FileUsers
from pillarbox.backends.hints.memory import MemoryHints
from pillarbox.backends.hints.records import SqliteRecords
from pillarbox.backends.hints.sqlite import SqliteHints
from pillarbox.backends.journal.files import USUAL_STAMP, FileJournal
from pillarbox.backends.journal.msglog import MessageLogHabits
from pillarbox.backends.lookups.driver import LookupWorld
from pillarbox.backends.lookups.registry import LookupTypes
from pillarbox.backends.spool.local import LocalSpool
from pillarbox.backends.userfiles.joined import JoinedUserFiles
from pillarbox.backends.userfiles.local import LocalUserFiles
from pillarbox.config.model import Config
from pillarbox.flow.queue.due import DueTable
from pillarbox.flow.settings import Files, Identity, Logging, Trust
from pillarbox.flow.transport.keep import ConnectionKeep, KeepLimits
from pillarbox.ports.clock import Clock
from pillarbox.ports.hints import Hints
from pillarbox.ports.journal import Journal, LineStamp
from pillarbox.ports.network import Network
from pillarbox.ports.spool import Spool
from pillarbox.system.clock import SystemClock
from pillarbox.system.dial import SystemNetwork
from pillarbox.system.dns.hosts import HostsFile
from pillarbox.system.durable import WorkThread
from pillarbox.system.helper.process import HelperEnd
from pillarbox.system.identities import SystemIdentities
from pillarbox.system.passwd import PasswdUsers
from pillarbox.system.textfiles import LocalTextFiles


class ProcessJournal(Journal, Protocol):
    """The journal of a whole process, which somebody must close."""

    def flush(self) -> None: ...

    def reopen(self) -> None: ...

    def close(self) -> None: ...


class ProcessSpool(Spool, Protocol):
    """The spool of a whole process."""

    async def start(self) -> int: ...

    async def stop(self) -> None: ...


class ProcessHints(Hints, Protocol):
    def close(self) -> None: ...


class World:
    """The ports of one process."""

    def __init__(
        self,
        config: Config,
        slot: int,
        *,
        is_alone: bool = False,
        helper: HelperEnd | None = None,
        queue: str = "",
    ) -> None:
        """Opens nothing that needs a running loop; see `start`. `is_alone`: of a command, for few messages: they are written to the queue
        at once, without a journal. `queue`: the named queue to work on."""
        files = self._files = config.main(Files)
        self.slot = slot
        self.is_alone = is_alone
        self.queue = queue
        self.spool_directory = Path(files.spool_directory)
        self.clock = SystemClock()
        self.network: Network = SystemNetwork()
        self._keeps_logs = config.main(Logging).preserve_message_logs
        self.journal = self._open_journal(config)
        self.due = DueTable()
        self.spool = self._open_spool(is_alone=is_alone)
        self.hints = self._open_hints(config)
        self.records = SqliteRecords(self.spool_directory / "db" / "records.sqlite")
        self._work_thread = WorkThread("maildir sync")
        self.local_work = local_work(helper, self.journal.main)
        self.delivery_work = delivery_work(config, self.local_work)
        own_files = LocalUserFiles(socket.gethostname(), self._work_thread)
        self.user_files = JoinedUserFiles(own_files, self.delivery_work)
        self.identities = SystemIdentities(self.clock)
        resolver = dns_resolver(config, self.clock)
        self.resolver = timed(resolver, config.main(Logging).slow_lookup_log, self.clock, self.journal)
        self.hosts = HostsFile(self.clock, os.devnull) if is_test_harness() else HostsFile(self.clock)
        self.text_files = LocalTextFiles()
        self.system_users = PasswdUsers(self.clock, config.main(Trust).max_username_length)
        self.lookups = LookupTypes(LookupWorld(self.clock, self.resolver, lookup_settings(config)))
        self.users = FileUsers(
            Path(files.accounts_file),
            Path(files.mail_directory),
            self.clock,
            self.journal,
            self._secret(),
        )
        users = with_system_logins(config, self.users, self.system_users, self.local_work, self.clock)
        self.logins = AccountLogins(users, has_scram=users is self.users)
        self.keep = ConnectionKeep(self.clock, KeepLimits(idle=0.5) if is_test_harness() else None)

    # What a world that only pretends opens otherwise

    def _open_journal(self, config: Config) -> ProcessJournal:
        (self.spool_directory / "db").mkdir(parents=True, exist_ok=True)
        return open_journal(config, self.clock, _to_stderr if self.is_alone else None)

    def _open_spool(self, *, is_alone: bool) -> ProcessSpool:
        spool = LocalSpool(
            str(self.spool_directory),
            self.clock,
            slot=self.slot,
            queue=self.queue,
            is_split=self._files.split_spool_directory,
            keep_malformed=self._files.keep_malformed,
            has_journal=not is_alone,
            keeps_logs=self._keeps_logs,
            report=self.journal.panic,
            say=self.journal.main,
            recovered=lambda message_id: self.due.put(message_id, 0.0),
        )
        if isinstance(self.journal, FileJournal):
            self.journal.queue_of = spool.queue_of
        return spool

    def _open_hints(self, config: Config) -> ProcessHints:
        if config.main(Identity).mua_wrapper:
            return MemoryHints()
        return SqliteHints(
            str(self.spool_directory / "db" / "retry.sqlite"), self.clock, report=self.journal.panic
        )

    def _secret(self) -> bytes:
        return shared_secret(self.spool_directory / "db" / "secret")

    async def start(self) -> int:
        """Open the spool: how many messages of an earlier life were found in its journal. Raises SlotInUse, OSError."""
        return await self.spool.start()

    async def abandon(self) -> None:
        """Close what the start opened, when the spool could not be: `SlotInUse`."""
        self.keep.close()
        self.users.close()
        self.hints.close()
        self.records.close()
        self._work_thread.stop()
        self.journal.close()

    async def stop(self) -> None:
        """Close everything, in the order in which things depend on each other."""
        await self.keep.quit()
        self.keep.close()
        self.users.close()
        await self.spool.stop()
        self.hints.close()
        self.records.close()
        self._work_thread.stop()
        self.journal.close()


def open_journal(config: Config, clock: Clock, echo: Callable[[str], None] | None = None) -> FileJournal:
    """The logs that the configuration names, in its time zone; their directory is made. `echo`: hears of panic too. Raises OSError."""
    use_timezone(config)
    log_directory, targets = log_directory_of(config), log_targets(config)
    log_directory.mkdir(parents=True, exist_ok=True)
    journal = FileJournal(
        str(log_directory),
        config.main(Files).spool_directory,
        clock,
        line_stamp(config),
        targets=targets,
        syslog=syslog_style(config),
        has_reject_log=config.main(Logging).write_rejectlog,
        message_logs=MessageLogHabits(
            config.main(Logging).message_logs,
            config.main(Files).split_spool_directory,
            config.main(Logging).preserve_message_logs,
        ),
        shows_topbit=config.main(Logging).print_topbitchars,
        echo=echo,
    )
    if targets.problem:
        journal.panic(targets.problem)
    return journal


def _to_stderr(line: str) -> None:
    """Whoever called a command reads what the panic log is told, as with Exim."""
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


def line_stamp(config: Config) -> LineStamp:
    logging = config.main(Logging)
    if logging.style.is_default and not logging.log_timezone:
        return USUAL_STAMP
    return LineStamp(logging.style.shows("millisec"), logging.style.shows("pid"), logging.log_timezone)
