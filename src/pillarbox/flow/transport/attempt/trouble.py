"""What can go wrong with a host, and whom it concerns (Exim 49.1.1): the host, this message, or one recipient.

Host trouble makes all messages wait for the host; message trouble only this one. What a host says of a recipient is an outcome of its own;
silence about one ends the session, and only that recipient has to wait for it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pillarbox.mail.outcome import CLEAR, Security
from pillarbox.mail.reply import Reply
from pillarbox.ports.network import DialError
from pillarbox.wire.smtp.client import Answer
from pillarbox.wire.smtp.commands import Connect
from pillarbox.wire.smtp.replies import BadReply

Concern = Literal["host", "message", "recipient"]


class Trouble(msgspec.Struct, frozen=True):
    """Why the attempt at one host ended early."""

    concern: Concern
    text: str
    """For the log and, since the words are the other host's, for the sender."""
    reply: Reply | None = None
    error: str = ""
    """Name for the retry rules (`mail.outcome.Deferred.error`)."""
    error_detail: str = ""
    os_error: str = ""
    """What the operating system called it: the host's line in the log has it behind `text`, the retry hint instead."""
    recipient: int = -1
    """Concern "recipient": which, counted in the parcel."""
    is_permanent: bool = False
    tries_next: bool = False
    """Permanent, and yet another host may be asked: it refused to talk at all."""
    is_tls: bool = False
    """The TLS handshake failed: the same host may be tried in clear."""
    was_connected: bool = False
    """There was a connection that came to nothing."""
    interface: tuple[str, int] = ("", 0)
    """Our end of it."""
    startup: str = ""
    """How far it had come, as in the log (`PS=`)."""
    security: Security = CLEAR
    """How it was protected by then."""
    may_be_stale: bool = False
    """The connection was lost or refused before a word on this message: a kept one may just have grown old."""

    @property
    def is_of_message(self) -> bool:
        """This message has to wait, the host need not be spared."""
        return self.concern == "message" and not self.is_permanent


_TIMED_OUT = "Connection timed out"
_AHEAD = "pipelined DATA"
"""What Exim calls the last thing that it had said, ahead of the banner."""


class Lost(Exception):
    """The conversation cannot go on. Raised by Session, turned into Trouble where it is known what was being said."""

    def __init__(self, error: str, text: str) -> None:
        super().__init__(text)
        self.error = error
        """A DialError's word, or `malformed`."""
        self.answers: list[Answer] = []
        """What had come by then, of what was asked."""
        self.is_early = False
        """Not even the banner had, and we had spoken first."""

    @classmethod
    def of(cls, cause: DialError | BadReply) -> Lost:
        if isinstance(cause, BadReply):
            return cls("malformed", str(cause))
        return cls(cause.error, str(cause))

    def after(
        self, stage: str, concern: Concern = "host", *, plain_stage: str = "", may_be_stale: bool = False
    ) -> Trouble:
        """In Exim's sentences. `plain_stage`: how `stage` is called when nothing came in time."""
        os_error = ""
        stage = _AHEAD if self.is_early else stage
        match self.error:
            case "timeout":
                text, os_error = f"SMTP timeout after {plain_stage or stage}", _TIMED_OUT
            case "lost_connection":
                text = f"Remote host closed connection in response to {stage}"
            case "malformed":
                text = f"Malformed SMTP reply in response to {stage}: {self}"
            case _:
                text = str(self)
        return Trouble(
            concern,
            text,
            error=self.error,
            os_error=os_error,
            is_tls=self.error == "tls",
            may_be_stale=may_be_stale,
        )


class Refused(Lost):
    """A host to which we have spoken first has refused to be spoken to: whatever was on its way is lost."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("refused", str(answer.reply))
        self._answer = answer

    def after(
        self, stage: str, concern: Concern = "host", *, plain_stage: str = "", may_be_stale: bool = False
    ) -> Trouble:
        """The banner's word is about this message, as Exim has it. A refused EHLO may be followed by HELO next time."""
        reply, said = self._answer.reply, _AHEAD
        if isinstance(self._answer.command, Connect) and reply.is_permanent:
            return message_refusal(said, reply, "")
        return Trouble("message", remote_error(said, reply), reply)


def host_refusal(after: str, reply: Reply) -> Trouble:
    """An error reply to the connection or to EHLO."""
    return Trouble(
        "host",
        remote_error(after, reply),
        reply,
        is_permanent=reply.is_permanent,
        tries_next=reply.is_permanent,
    )


def message_refusal(after: str, reply: Reply, error: str) -> Trouble:
    """An error reply to MAIL, DATA or the message itself. `error`: `mail_4xx`, `data_4xx`."""
    return Trouble(
        "message",
        remote_error(after, reply),
        reply,
        error=error if reply.is_transient else "",
        error_detail=str(reply.code) if reply.is_transient else "",
        is_permanent=reply.is_permanent,
    )


def remote_error(after: str, reply: Reply) -> str:
    """Exim's sentence."""
    return f"SMTP error from remote mail server after {after}: {reply.as_said}"
