"""What the commands and the daemon say to each other over the control socket: JSON lines, a message's bytes behind its line.

A request is one line; a submission's message follows it, `size` bytes in LF form. The daemon answers with any number of `Line`s; the one with
`end` is the last. The same request, stored with its message in one file, is how a submission waits while the daemon is down.
"""

from __future__ import annotations

import msgspec

from pillarbox.mail.taint import encodable

MAX_LINE = 4 * 1024 * 1024
"""Bytes of a request line: fifty thousand recipients fit."""


class Submit(msgspec.Struct, frozen=True, kw_only=True, tag="submit"):
    """A local program submits a message (Exim chapter 5: -f, -t, -oi …)."""

    recipients: tuple[str, ...] = ()
    sender: str | None = None
    """`-f`; empty: the null sender; None: the caller's own address."""
    extract_recipients: bool = False
    """`-t`: from To:, Cc: and Bcc:; addresses in `recipients` are then left out (Exim's `extract_addresses_remove_arguments`)."""
    full_name: str | None = None
    """`-F`; empty: none, whatever the password file has."""
    reference: str = ""
    """`-oMm`, `-E`: the message this one is about, an id; from anybody."""
    number: int = 0
    """Which message of its batch it is, from 1; 0: there is none."""
    tells_of_error: bool = False
    """`-E`."""
    is_smtp_batch: bool = False
    size: int = 0
    queue_only: bool = False
    """`-odq`."""
    queue_smtp: bool = False
    """`-odqs`: what is for other hosts waits."""
    errors: str = "m"
    """`-oe…`: `m` by mail, `e` by mail and then the exit code is 0, `p`, `q` on standard error, `w` by mail."""
    about: dict[str, str] = {}
    """`-oM…` by its letters (`a` host address, `r` protocol …); only a trusted caller is believed."""
    notify: tuple[str, ...] = ()
    """`-oDSN N=…`: of every recipient."""
    ret: str = ""
    """`-oDSN R=…`: `FULL` or `HDRS`."""
    envid: str = ""
    """`-oDSN V=…`."""
    keeps_unqualified: bool = False
    """`-bnq`."""
    suppresses_fixups: bool = False
    """`-G`."""
    is_dry: bool = False
    """`-N`."""
    login: str = ""
    """Filled in by whoever knows the caller: the daemon, from the socket; the offline folder's reader, from the file's owner."""


class Act(msgspec.Struct, frozen=True, kw_only=True, tag="act"):
    """Do something with waiting messages."""

    action: str
    """`freeze`, `thaw`, `remove`, `give_up`, `retry`, `deliver`, `deliver_due`, `mark_all_delivered`, `mark_delivered`,
    `add_recipient`, `edit_sender`, `move`."""
    ids: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    """For the last four; for `move` the name of the other queue."""


class Run(msgspec.Struct, frozen=True, kw_only=True, tag="run"):
    """A queue run (`-q…`, `-R`, `-S`)."""

    force: bool = False
    force_frozen: bool = False
    first_only: bool = False
    recipient: str = ""
    is_regular_recipient: bool = False
    sender: str = ""
    is_regular_sender: bool = False
    first_id: str = ""
    last_id: str = ""
    is_two_stage: bool = False
    """`-qq`."""
    local_only: bool = False
    """`-ql`."""
    queue: str = ""
    """`-qG`: the named queue; only for commands that work alone."""
    wait: bool = True
    """Answer when the run has ended."""


class Converse(msgspec.Struct, frozen=True, kw_only=True, tag="converse"):
    """What follows on the socket is an SMTP session of the caller's (`-bs`), in both directions and without any `Line`."""

    about: dict[str, str] = {}
    """`-oM…`, as in Submit."""
    suppresses_fixups: bool = False


class Status(msgspec.Struct, frozen=True, kw_only=True, tag="status"):
    """Is somebody there?"""


Request = Submit | Act | Run | Converse | Status


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the answer."""

    text: str = ""
    is_error: bool = False
    end: bool = False
    code: int = 0
    """Exit code for the command, on the last line."""


_ENCODER = msgspec.json.Encoder(enc_hook=encodable)
_REQUEST: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_LINE = msgspec.json.Decoder(Line)


def encode(value: Request | Line) -> bytes:
    return _ENCODER.encode(value) + b"\n"


def decode_request(line: bytes) -> Request:
    """Raises ValueError."""
    return _REQUEST.decode(line)


def decode_line(line: bytes) -> Line:
    """Raises ValueError."""
    return _LINE.decode(line)
