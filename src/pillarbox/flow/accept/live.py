"""What variables see of the session that is under way: the commands so far, and what has been found out about the client.

It stands in scopes where `SessionFacts` is asked for, and has its fields, so one object serves the whole connection and costs nothing
until a string asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mail.message import Message, longest_line

if TYPE_CHECKING:
    from pillarbox.language.match.host_names import ClientName
    from pillarbox.wire.smtp.server import ServerEngine

_SHOWN_HISTORY = 20


class LiveFacts:
    """flow.facets.session.SessionFacts, as it is at this moment."""

    __slots__ = (
        "_client",
        "_engine",
        "active_hostname",
        "atrn_host",
        "atrn_mode",
        "authenticated_fail_id",
        "authentication_failed",
        "connection_id",
        "count_at_connection_start",
        "helo_dnssec",
        "host_dnssec",
        "longest_line",
        "message",
        "notquit_reason",
        "prdr_requested",
        "rcpt_count",
        "rcpt_defer_count",
        "rcpt_fail_count",
    )

    def __init__(self, engine: ServerEngine, client: ClientName) -> None:
        self._engine = engine
        self._client = client
        self.connection_id = ""
        self.active_hostname = ""
        self.count_at_connection_start = 0
        self.notquit_reason = ""
        self.authenticated_fail_id = ""
        self.authentication_failed = 0
        self.helo_dnssec = self.host_dnssec = False
        self.prdr_requested = False
        self.message: Message | None = None
        """As it came, before anything was added."""
        self.longest_line = 0
        """Of `message`; 0: nobody has asked."""
        self.rcpt_count = self.rcpt_defer_count = self.rcpt_fail_count = 0
        self.atrn_host = self.atrn_mode = ""

    @property
    def command(self) -> str:
        return self._engine.line

    @property
    def command_argument(self) -> str:
        return self._engine.line.partition(" ")[2].strip(" \t")

    @property
    def command_history(self) -> str:
        return ",".join(self._engine.history[-_SHOWN_HISTORY:])

    @property
    def helo_verified(self) -> bool:
        return bool(self._client.helo_is_true)

    @property
    def host_lookup_deferred(self) -> int:
        return int(self._client.is_deferred)

    @property
    def host_lookup_failed(self) -> int:
        return int(self._client.has_failed)

    @property
    def max_received_linelength(self) -> int:
        """Bytes of the longest line, without its end; worked out when somebody asks."""
        if self.message is None:
            return 0
        self.longest_line = self.longest_line or longest_line(self.message)
        return self.longest_line

    def take(self, message: Message | None) -> None:
        """From now on it is about this one."""
        self.message = message
        self.longest_line = 0

    def note_refused_rcpt(self, code: int) -> None:
        if code >= 500:
            self.rcpt_fail_count += 1
        else:
            self.rcpt_defer_count += 1

    def forget_transaction(self) -> None:
        self.take(None)
        self.prdr_requested = False

    def count_rcpts_anew(self) -> None:
        self.rcpt_count = self.rcpt_defer_count = self.rcpt_fail_count = 0
