"""What variables see of the session that is under way: the commands so far, and what has been found out about the client.

It stands in scopes where `SessionFacts` is asked for, and has its fields, so one object serves the whole connection and costs nothing
until a string asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mail.message import Message

if TYPE_CHECKING:
    from pillarbox.wire.smtp.server import ServerEngine

_SHOWN_HISTORY = 20


def longest_line(message: Message) -> int:
    longest = max(map(len, message.headers.split(b"\n")), default=0)
    rest = b""
    for chunk in message.body.chunks():
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        longest = max(longest, len(rest), *map(len, lines)) if lines else max(longest, len(rest))
    return longest


class LiveFacts:
    """flow.facets.session.SessionFacts, as it is at this moment."""

    __slots__ = (
        "_engine",
        "active_hostname",
        "atrn_host",
        "atrn_mode",
        "authenticated_fail_id",
        "authentication_failed",
        "connection_id",
        "count_at_connection_start",
        "helo_dnssec",
        "helo_verified",
        "host_dnssec",
        "host_lookup_deferred",
        "host_lookup_failed",
        "message",
        "notquit_reason",
        "prdr_requested",
        "rcpt_defer_count",
        "rcpt_fail_count",
    )

    def __init__(self, engine: ServerEngine) -> None:
        self._engine = engine
        self.connection_id = ""
        self.active_hostname = ""
        self.count_at_connection_start = 0
        self.notquit_reason = ""
        self.authenticated_fail_id = ""
        self.authentication_failed = 0
        self.helo_verified = self.helo_dnssec = self.host_dnssec = False
        self.host_lookup_deferred = self.host_lookup_failed = 0
        self.prdr_requested = False
        self.message: Message | None = None
        """As it came, before anything was added."""
        self.rcpt_defer_count = self.rcpt_fail_count = 0
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
    def max_received_linelength(self) -> int:
        """Bytes of the longest line, without its end; worked out when somebody asks."""
        return 0 if self.message is None else longest_line(self.message)

    def forget_transaction(self) -> None:
        self.message = None
        self.prdr_requested = False
        self.rcpt_defer_count = self.rcpt_fail_count = 0
