"""A message of a program on this machine that is not taken, and all that is told about it."""

from __future__ import annotations

from typing import Literal

from pillarbox.mail.message import Message

BY_ACL = "exim: message rejected by non-SMTP ACL: "
Kind = Literal[
    "argument",
    "configuration",
    "discarded",
    "header_line",
    "header_section",
    "headers",
    "none",
    "policy",
    "recipients",
    "size",
    "space",
]
"""A recipient that the caller named is no address; an option cannot be expanded, which is told at once and by no mail; a header line, or
all of them, is too long; no header line has a good one; there is none at all; the message may not be sent; it has too many recipients; it is
too large; there is no room for it."""


class Refused(Exception):
    """The message is not taken; `str()` says why, for the caller's eyes. What it says in a mail to its sender: see `complaint`."""

    def __init__(
        self,
        text: str,
        *,
        kind: Kind = "policy",
        bad: tuple[tuple[str, str], ...] = (),
        message: Message | None = None,
        message_id: str = "",
        is_taken: bool = False,
        cause: str = "",
    ) -> None:
        """`cause`: for the log, where nobody can be told. `is_taken`: only some recipients are refused, and the message is on its way to
        the others."""
        super().__init__(text)
        self.is_taken = is_taken
        self.kind = kind
        self.log = ""
        """What was logged of it, where Exim says that on standard error too."""
        self.why = text.removeprefix(BY_ACL)
        self.cause = cause or text.removeprefix("exim: message ")
        self.bad = bad
        """Addresses and what is wrong with them."""
        self.message = message
        """As it came, with the header lines it would have had where there is an id."""
        self.message_id = message_id
