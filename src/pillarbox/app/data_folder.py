"""The data folder: everything that one Pillarbox owns, below one directory.

    pillarbox.conf   the configuration, in Exim's language      spool/   queue, journal, hints, control socket
    accounts         names and password hashes                  mail/    one Maildir an account
    aliases          redirections of local addresses            log/     mainlog, rejectlog, paniclog
    tls/             certificate and key

The configuration names the other places, so any of them may lie elsewhere.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

SYSTEM = Path("/var/lib/pillarbox")
CONFIGURATION = "pillarbox.conf"


class DataFolder:
    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def configuration(self) -> Path:
        return self.path / CONFIGURATION

    @property
    def accounts(self) -> Path:
        return self.path / "accounts"

    @property
    def aliases(self) -> Path:
        return self.path / "aliases"

    @property
    def certificate(self) -> Path:
        return self.path / "tls" / "cert.pem"

    @property
    def key(self) -> Path:
        return self.path / "tls" / "key.pem"

    @property
    def mail(self) -> Path:
        return self.path / "mail"

    @property
    def spool(self) -> Path:
        return self.path / "spool"

    @property
    def log(self) -> Path:
        return self.path / "log"


def places() -> list[Path]:
    """Where a configuration is looked for when none is named, in this order.

    `$PILLARBOX_CONFIG`, `./var`, `var` beside the virtual environment we run from, `/var/lib/pillarbox`, `/etc/pillarbox`.
    """
    named = os.environ.get("PILLARBOX_CONFIG")
    beside = Path(sys.prefix).parent / "var" / CONFIGURATION
    found = [
        Path("var").absolute() / CONFIGURATION,
        beside,
        SYSTEM / CONFIGURATION,
        Path("/etc/pillarbox") / CONFIGURATION,
    ]
    return [Path(named).absolute(), *found] if named else found


def find_configuration() -> Path | None:
    """The first of `places()` that exists."""
    return next((path for path in places() if path.exists()), None)
