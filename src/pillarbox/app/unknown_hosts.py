"""Hosts in lists that cannot be found out, told to the main log in Exim's words."""

from __future__ import annotations

from typing import assert_never

from pillarbox.language.match.unknown_hosts import What
from pillarbox.mail.envelope import Origin
from pillarbox.ports.journal import Journal
from pillarbox.wire.exim.log_line import smtp_connection
from pillarbox.wire.exim.log_style import LogStyle


class LoggedUnknownHosts:
    def __init__(self, journal: Journal, style: LogStyle) -> None:
        self._journal = journal
        self._style = style

    def tell(self, what: What, text: str, client: Origin | None) -> None:
        match what:
            case "no address":
                if self._style.shows("host_lookup_failed"):
                    during = ""
                    if client is not None and client.host_address:
                        during = f" (during {smtp_connection(client, self._style)})"
                    self._journal.main(f"no IP address found for host {text}{during}")
            case "included":
                self._journal.main(f"{text}: accepted by +include_unknown")
            case "failed":
                if self._style.shows("unknown_in_list"):
                    self._journal.main(f"list matching forced to fail: {text}")
            case _ as unreachable:
                assert_never(unreachable)
