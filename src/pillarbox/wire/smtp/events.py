"""What a client said, as values: the server engine's events.

All but the last group wait for `ServerEngine.reply` (or `challenge`); the engine gives the next one only after it.
"""

from __future__ import annotations

from enum import Enum, unique

import msgspec

from pillarbox.mail.reply import Reply


@unique
class Need(Enum):
    """Why there is no event now."""

    DATA = "data"
    """Feed more bytes."""
    REPLY = "reply"
    """The event given last has not been replied to (or `greet`, or `upgraded`, has not been called)."""


@unique
class Problem(Enum):
    """What the engine itself refused."""

    SYNTAX = "syntax error"
    SEQUENCE = "bad sequence of commands"
    UNKNOWN_COMMAND = "unrecognized command"
    NOT_OFFERED = "extension not offered"
    LINE_TOO_LONG = "line too long"
    BARE_CR_OR_LF = "bare CR or LF"
    NUL = "NUL character"
    NON_ASCII = "non-ASCII text without SMTPUTF8"
    BAD_BASE64 = "invalid base64 data"
    SYNCHRONIZATION = "synchronization error"
    TOO_MANY_NONMAIL = "too many nonmail commands"
    TOO_MANY_RECIPIENTS = "too many recipients"
    TOO_BIG = "message too big"
    HEADERS_TOO_BIG = "message header too big"
    INPUT_OVERFLOW = "input before the reply"


class Helo(msgspec.Struct, frozen=True, gc=False):
    """HELO, EHLO or LHLO. Answer with `ehlo_reply` (or `reply`, to refuse)."""

    name: str
    is_esmtp: bool
    """EHLO or LHLO."""


class StartTls(msgspec.Struct, frozen=True, gc=False):
    """Reply 220, write it, do the handshake, then call `upgraded`; or refuse (454)."""


class Auth(msgspec.Struct, frozen=True, gc=False):
    """Answer with `challenge`, or `reply` (235, 535, …)."""

    mechanism: str
    """Upper case; one of those offered, unless there is a `problem`."""
    initial: bytes | None
    """Decoded; None: no initial response; `b""` for `=` (RFC 4954 §4)."""
    problem: Problem | None = None
    """It cannot be done: to be answered with `refuse` and the `refusal`, when whoever decides about logins has been asked."""
    refusal: Reply | None = None


class AuthResponse(msgspec.Struct, frozen=True, gc=False):
    """The answer to a challenge, decoded."""

    data: bytes


class Mail(msgspec.Struct, frozen=True, gc=False):
    """MAIL FROM. An address without `@` is unqualified: refuse or complete it."""

    sender: str | None
    """None: `<>`."""
    size: int = 0
    """SIZE as declared, octets; 0: not given. Not above the limit offered."""
    body: str = ""
    """`7BIT`, `8BITMIME` or empty."""
    smtputf8: bool = False
    ret: str = ""
    """`FULL`, `HDRS` or empty."""
    envid: str = ""
    """Still xtext."""
    auth: str | None = None
    """AUTH=, decoded from xtext (`<>` for nobody); None: not given."""
    prdr: bool = False
    """A reply for each recipient behind the data is wanted."""
    written: str = ""
    """The path as it stood there, where that was not `<sender>`."""


class Rcpt(msgspec.Struct, frozen=True, gc=False):
    """RCPT TO. An address without `@` is unqualified; `postmaster` alone must be taken (RFC 5321 §4.5.1)."""

    address: str
    notify: tuple[str, ...] = ()
    """Of NEVER, SUCCESS, FAILURE, DELAY; empty: not given."""
    orcpt: str = ""
    """Still xtext, with its address type."""
    ignores_quota: bool = False
    """LMTP: deliver whatever the quota."""
    written: str = ""
    """The path as it stood there, where that was not `<address>`."""


class Data(msgspec.Struct, frozen=True, gc=False):
    """DATA, or the first BDAT of a message. Reply 354 to have it; with BDAT the 354 is not sent."""

    is_chunking: bool = False


class Rset(msgspec.Struct, frozen=True, gc=False):
    """The transaction, if any, is over."""


class Noop(msgspec.Struct, frozen=True, gc=False):
    pass


class Help(msgspec.Struct, frozen=True, gc=False):
    argument: str = ""


class Vrfy(msgspec.Struct, frozen=True, gc=False):
    argument: str


class Expn(msgspec.Struct, frozen=True, gc=False):
    argument: str


class Atrn(msgspec.Struct, frozen=True, gc=False):
    """RFC 2645: the client wants to become the server, and its waiting mail."""

    argument: str


class Etrn(msgspec.Struct, frozen=True, gc=False):
    """RFC 1985."""

    argument: str


class WellKnown(msgspec.Struct, frozen=True, gc=False):
    """Exim's WELLKNOWN: something about the whole site."""

    argument: str


class Quit(msgspec.Struct, frozen=True, gc=False):
    """Reply 221; the engine is closed then."""


class DataEnd(msgspec.Struct, frozen=True, gc=False):
    """The message is whole. Reply once; with LMTP once for each recipient accepted, in their order (RFC 2033 §4.2)."""

    data: bytes
    """What no DataChunk has given yet: the whole message when it is small. LF line ends, dots removed."""
    size: int
    """Of the message as on the wire without transparency dots: octets with CRLF (RFC 1870 §5)."""


class DataChunk(msgspec.Struct, frozen=True, gc=False):
    """A piece of a large message; needs no reply. LF line ends, dots removed."""

    data: bytes


class DataRefused(msgspec.Struct, frozen=True, gc=False):
    """The message was swallowed to its end and refused, and the engine has said so: forget it. Needs no reply."""

    problem: Problem
    reply: Reply
    size: int
    beginning: bytes = b""
    """Of what was TOO_BIG, and had not been given as DataChunk: some 16 KiB at most, in LF form."""


class AuthCancelled(msgspec.Struct, frozen=True, gc=False):
    """The client gave up (`*`); answered with 501. Needs no reply."""


class ProtocolError(msgspec.Struct, frozen=True, gc=False):
    """A command the engine has refused itself; for the log and for counting. Needs no reply.

    During an AUTH exchange it ends the exchange.
    """

    problem: Problem
    reply: Reply
    line: str
    """The offending line as it came, cut at 1024 characters: control characters are for who logs it to escape."""
    detail: str = ""
    """What is wrong with it; empty: what the reply says."""
    is_expected: bool = False
    """A pipelining client could not know better."""


class Closed(msgspec.Struct, frozen=True, gc=False):
    """Nothing more will come: write `outgoing()`, then close the connection. Given again at every call."""


Event = (
    Helo
    | StartTls
    | Auth
    | AuthResponse
    | Mail
    | Rcpt
    | Data
    | Rset
    | Noop
    | Help
    | Vrfy
    | Expn
    | Atrn
    | Etrn
    | WellKnown
    | Quit
    | DataEnd
    | DataChunk
    | DataRefused
    | AuthCancelled
    | ProtocolError
    | Closed
)
