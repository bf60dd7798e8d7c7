"""What can go wrong with a host, and whom it concerns (Exim 49.1.1): the host, this message, or one recipient.

Host trouble makes all messages wait for the host; message trouble only this one; recipient trouble is an outcome of its own.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pillarbox.mail.reply import Reply
from pillarbox.ports.network import DialError
from pillarbox.wire.smtp.replies import BadReply

Concern = Literal["host", "message"]


class Trouble(msgspec.Struct, frozen=True):
    """Why the attempt at one host ended early."""

    concern: Concern
    text: str
    """For the log and, since the words are the other host's, for the sender."""
    reply: Reply | None = None
    error: str = ""
    """Name for the retry rules (`mail.outcome.Deferred.error`)."""
    error_detail: str = ""
    is_permanent: bool = False
    is_tls: bool = False
    """The TLS handshake failed: the same host may be tried in clear."""
    may_be_stale: bool = False
    """The connection was lost or refused before a word on this message: a kept one may just have grown old."""


class Lost(Exception):
    """The conversation cannot go on. Raised by Session, turned into Trouble where it is known what was being said."""

    def __init__(self, error: str, text: str) -> None:
        super().__init__(text)
        self.error = error

    @classmethod
    def of(cls, cause: DialError | BadReply) -> Lost:
        if isinstance(cause, BadReply):
            return cls("lost_connection", str(cause))
        return cls(cause.error, str(cause))


def host_refusal(after: str, reply: Reply) -> Trouble:
    """An error reply to the connection or to EHLO."""
    return Trouble("host", remote_error(after, reply), reply, is_permanent=reply.is_permanent)


def message_refusal(after: str, reply: Reply, error: str) -> Trouble:
    """An error reply to MAIL, DATA or the message itself. `error`: `mail_4xx`, `data_4xx`."""
    return Trouble(
        "message",
        remote_error(after, reply),
        reply,
        error="" if reply.is_permanent else error,
        error_detail="" if reply.is_permanent else str(reply.code),
        is_permanent=reply.is_permanent,
    )


def remote_error(after: str, reply: Reply) -> str:
    """Exim's sentence."""
    return f"SMTP error from remote mail server after {after}: {reply}"
