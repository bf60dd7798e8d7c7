"""What the server engine knows of its peer: the settings it was given, how far the session is, and how much patience is left.

The counters are Exim's (49.2.1 to 49.2.3): unrecognized commands, syntax and protocol errors, and "nonmail" commands, of which
one RSET, one HELO and one STARTTLS between messages and the first AUTH are free.
"""

from __future__ import annotations

import msgspec

from pillarbox.wire.smtp import order
from pillarbox.wire.smtp.extensions import Extensions
from pillarbox.wire.smtp.grammar import ReadPath, read_path

NOTHING_OFFERED = Extensions()
_FREE_PER_MESSAGE = frozenset({"RSET", "HELO", "STARTTLS"})
HISTORY = 40
_FREE_AT_START = _FREE_PER_MESSAGE | {"AUTH"}


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits and habits; 0 means no limit where not said otherwise. Names of Exim's options in brackets."""

    lmtp: bool = False
    offer: Extensions = Extensions(
        pipelining=True,
        size=52428800,
        eightbitmime=True,
        chunking=True,
        enhanced_status_codes=True,
        help=True,
    )
    """What `ehlo_reply` offers unless told otherwise; its `size` limits the messages [message_size_limit]."""
    enforce_sync: bool = True
    """[smtp_enforce_sync]"""
    has_socket: bool = True
    """False: standard input, where everything may have been written in advance; `enforce_sync` does not come to be true then."""
    can_turn: bool = False
    """ATRN is not refused before somebody has looked at it."""
    auth_unadvertised: bool = False
    """AUTH may be used although it was not offered."""
    early_pipelining: bool = False
    """This client may send before the banner [pipelining_connect_advertise_hosts]."""
    command_line_max: int = 16384
    """Octets with CRLF; never unlimited. Exim's buffer."""
    auth_line_max: int = 16384
    """The same for AUTH and its responses (RFC 4954 §4)."""
    line_max: int = 998
    """Octets of a message line, without its end."""
    headers_max: int = 1 << 20
    """Octets of the header block [header_maxsize]."""
    refuse_nul: bool = False
    """Refuse messages with NUL characters."""
    recipients_max: int = 50000
    """[recipients_max]"""
    recipients_max_rejects: bool = False
    """[recipients_max_reject]: what is too much is refused for good."""
    read_path: ReadPath = read_path
    """What MAIL and RCPT may name, and what is wrong with the rest."""
    nonmail_max: int = 10
    """[smtp_accept_max_nonmail]; negative: no limit."""
    synprot_errors_max: int = 3
    """[smtp_max_synprot_errors]; 0: none is suffered."""
    unknown_commands_max: int = 3
    """[smtp_max_unknown_commands]; 0: none is suffered."""
    helo_required: bool = True
    """Refuse MAIL before HELO or EHLO."""
    helo_allow_chars: str = ""
    """[helo_allow_chars]"""
    helo_accept_junk: bool = False
    """[helo_accept_junk_hosts]"""


class Session:
    """The changing facts of one connection."""

    __slots__ = (
        "errors",
        "free",
        "has_said_bdat",
        "history",
        "is_authenticated",
        "is_behind_rcpt",
        "is_behind_refused_mail",
        "is_esmtp",
        "is_just_secured",
        "is_tls",
        "nonmail",
        "offer",
        "phase",
        "rcpt_refusal",
        "rcpts",
        "recipients",
        "settings",
        "unknown",
        "utf8",
    )

    def __init__(self, settings: ServerSettings, *, is_tls: bool) -> None:
        self.settings = settings
        self.is_tls = is_tls
        self.is_just_secured = False
        """By STARTTLS, and nobody has said EHLO or HELO since."""
        self.is_authenticated = False
        self.nonmail = self.errors = self.unknown = 0
        self.has_said_bdat = False
        """Where it was offered."""
        self.history: list[str] = []
        """Verbs that were known, the latest last (at most HISTORY)."""
        self.start()

    def start(self) -> None:
        """As after the banner, and again after STARTTLS (RFC 3207 §4.2)."""
        self.phase = order.CONNECTED if self.settings.helo_required else order.GREETED
        self.offer = NOTHING_OFFERED
        self.is_esmtp = False
        self.free = _FREE_AT_START
        self._clear()

    def forget_transaction(self) -> None:
        """After RSET, HELO and the end of a message."""
        if self.phase is not order.CONNECTED:
            self.phase = order.GREETED
        self._clear()

    def expect_message(self) -> None:
        """A message has ended: the free commands are free again."""
        self.forget_transaction()
        if self.free is not _FREE_AT_START:
            self.free = self.free | _FREE_PER_MESSAGE

    def _clear(self) -> None:
        self.utf8 = False
        self.recipients = self.rcpts = 0
        """Accepted, and RCPT commands."""
        self.is_behind_rcpt = self.is_behind_refused_mail = False
        self.rcpt_refusal: str | None = None
        """What every RCPT was answered so far, when it was the same refusal; None: no RCPT yet; empty: they differ."""

    def note_rcpt_refusal(self, text: str) -> None:
        if self.rcpt_refusal is None or self.rcpt_refusal == text:
            self.rcpt_refusal = text
        else:
            self.rcpt_refusal = ""

    def note_verb(self, name: str) -> None:
        self.history.append(name)
        if len(self.history) > HISTORY:
            self.shorten_history()

    def shorten_history(self) -> None:
        del self.history[: HISTORY // 2]

    def is_one_nonmail_too_many(self, allowance: str) -> bool:
        """Count a nonmail command, unless its `allowance` is still there."""
        if allowance in self.free:
            self.free = self.free - {allowance}
            return False
        self.nonmail += 1
        return 0 <= self.settings.nonmail_max < self.nonmail

    def is_one_error_too_many(self) -> bool:
        """Count a syntax or protocol error."""
        self.errors += 1
        return self.errors > self.settings.synprot_errors_max

    def is_one_unknown_too_many(self) -> bool:
        """Count an unrecognized command."""
        self.unknown += 1
        return self.unknown > self.settings.unknown_commands_max
