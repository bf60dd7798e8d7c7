"""Variables about this installation and the time: main options and the clock (Exim 11.9)."""

from __future__ import annotations

import os
import time
from functools import lru_cache

from pillarbox.flow.settings import Files, Identity
from pillarbox.language.expand.registry import variable
from pillarbox.language.expand.scope import Services
from pillarbox.language.match.local_host import LocalHost


@variable("primary_hostname", LocalHost, doc="Our full name.", tainted=False)
def primary_hostname(host: LocalHost) -> str:
    return host.primary_hostname


@variable("smtp_active_hostname", LocalHost, doc="Our name in SMTP sessions.", tainted=False)
def smtp_active_hostname(host: LocalHost) -> str:
    return host.active_hostname or host.primary_hostname


@variable("qualify_domain", Identity, doc="Domain added to unqualified senders.", tainted=False)
def qualify_domain(identity: Identity) -> str:
    return identity.sender_domain


@variable("qualify_recipient", Identity, doc="Domain added to unqualified recipients.", tainted=False)
def qualify_recipient(identity: Identity) -> str:
    return identity.recipient_domain


@variable("spool_directory", Files, doc="Queue, journal and hints.", tainted=False)
def spool_directory(files: Files) -> str:
    return files.spool_directory


@variable("log_directory", Files, doc="Directory of the log files.", tainted=False)
def log_directory(files: Files) -> str:
    return files.log_file_path.rpartition("/")[0]


@variable("mail_directory", Files, doc="Pillarbox: where accounts' mailboxes lie.", tainted=False)
def mail_directory(files: Files) -> str:
    return files.mail_directory


@variable("pid", Services, doc="Process id.", tainted=False)
def pid(services: Services) -> str:
    return str(os.getpid())


@variable("tod_epoch", Services, doc="Seconds since the epoch.", tainted=False)
def tod_epoch(services: Services) -> str:
    return str(int(services.clock.now()))


@variable("tod_epoch_l", Services, doc="Microseconds since the epoch.", tainted=False)
def tod_epoch_l(services: Services) -> str:
    return str(int(services.clock.now() * 1_000_000))


@variable("tod_full", Services, doc="Date and time as in header lines.", tainted=False)
def tod_full(services: Services) -> str:
    return _formatted(services, "%a, %d %b %Y %H:%M:%S %z")


@variable("tod_bsdinbox", Services, doc="Date and time as in mailbox separators.", tainted=False)
def tod_bsdinbox(services: Services) -> str:
    return _formatted(services, "%a %b %d %H:%M:%S %Y")


@variable("tod_log", Services, doc="Date and time as in log files.", tainted=False)
def tod_log(services: Services) -> str:
    return _formatted(services, "%Y-%m-%d %H:%M:%S")


@variable("tod_logfile", Services, doc="The date, for names of log files.", tainted=False)
def tod_logfile(services: Services) -> str:
    return _formatted(services, "%Y%m%d")


@variable("tod_zone", Services, doc="The local zone: +0100.", tainted=False)
def tod_zone(services: Services) -> str:
    return _formatted(services, "%z")


@variable("tod_zulu", Services, doc="Date and time in UTC: 20260131123456Z.", tainted=False)
def tod_zulu(services: Services) -> str:
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(services.clock.now()))


def _formatted(services: Services, form: str) -> str:
    return _second_formatted(int(services.clock.now()), form)


@lru_cache(maxsize=16)
def _second_formatted(second: int, form: str) -> str:
    """One second's banners share one text."""
    return time.strftime(form, time.localtime(second))
