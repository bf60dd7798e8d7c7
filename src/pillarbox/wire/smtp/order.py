"""The order of commands: one table per phase of a session (RFC 5321 §4.1.4), and the replies the engine gives of itself.

What is not in the table of the present phase is allowed there. Wording and codes of the replies are Exim's; the enhanced codes are ours.
"""

from __future__ import annotations

import msgspec

from pillarbox.mail.reply import Reply


class Phase(msgspec.Struct, frozen=True, eq=False):
    """How far the session and its transaction have come."""

    name: str
    refused: dict[str, Reply]
    """Verbs that have no place in it."""
    allowed: frozenset[str] | None = None
    """All that has a place in it; None: whatever is not refused."""


NO_PROXY = Reply(503, "Command refused, required Proxy negotiation failed", "5.5.0")
HELO_REQUIRED = Reply(503, "HELO or EHLO required", "5.5.1")
SENDER_ALREADY_GIVEN = Reply(503, "sender already given", "5.5.1")
SENDER_NOT_GIVEN = Reply(503, "sender not yet given", "5.5.1")
RCPT_BEFORE_DATA = Reply(503, "valid RCPT command must precede DATA", "5.5.1")
RCPT_BEFORE_BDAT = Reply(503, "valid RCPT command must precede BDAT", "5.5.1")
ONLY_BDAT = Reply(503, "only BDAT permissible after non-LAST BDAT", "5.5.1")
ONLY_RSET = Reply(503, "only RSET accepted now", "5.5.1")
AUTH_IN_TRANSACTION = Reply(503, "not permitted in mail transaction", "5.5.1")
ALL_RCPT_REFUSED = "All RCPT commands were rejected with this error:"

ETRN_IN_TRANSACTION = Reply(503, "ETRN is not permitted inside a transaction", "5.5.1")

_IN_TRANSACTION = {"MAIL": SENDER_ALREADY_GIVEN, "ETRN": ETRN_IN_TRANSACTION}

CONNECTED = Phase(
    "no HELO yet",
    {
        "MAIL": HELO_REQUIRED,
        "RCPT": SENDER_NOT_GIVEN,
        "DATA": RCPT_BEFORE_DATA,
        "BDAT": RCPT_BEFORE_BDAT,
    },
)
GREETED = Phase(
    "no transaction", {"RCPT": SENDER_NOT_GIVEN, "DATA": RCPT_BEFORE_DATA, "BDAT": RCPT_BEFORE_BDAT}
)
MAIL = Phase("MAIL accepted", {**_IN_TRANSACTION, "DATA": RCPT_BEFORE_DATA, "BDAT": RCPT_BEFORE_BDAT})
RCPT = Phase("a RCPT accepted", _IN_TRANSACTION)
_AWAY = ("RSET", "QUIT")
CHUNKS = Phase("between two BDAT", {}, frozenset({"BDAT", "NOOP", *_AWAY}))
FAILED_CHUNKS = Phase(
    "a BDAT was refused, and more may be on their way; RSET must come",
    {"BDAT": ONLY_RSET},
    frozenset({"BDAT", *_AWAY}),
)
BROKEN_CHUNKS = Phase(
    "something else came between two BDAT; RSET must come", {"BDAT": ONLY_RSET}, frozenset({"BDAT", *_AWAY})
)

UNRECOGNIZED = Reply(500, "unrecognized command", "5.5.1")
TOO_MANY_UNRECOGNIZED = Reply(500, "Too many unrecognized commands", "5.5.1")
TOO_MANY_ERRORS = "Too many syntax or protocol errors"
TOO_MANY_NONMAIL = Reply(554, "Too many nonmail commands", "5.5.0")
NOT_SYNCHRONIZED = Reply(554, "SMTP synchronization error", "5.5.0")
INPUT_OVERFLOW = Reply(421, "too much input before the reply", "4.5.0")
LINE_TOO_LONG = Reply(500, "line too long", "5.5.2")
BARE_IN_COMMAND = Reply(500, "bare CR or LF is not allowed in SMTP commands", "5.5.2")
NUL_IN_COMMAND = Reply(501, "NUL characters are not allowed in SMTP commands", "5.5.2")
NON_ASCII_COMMAND = Reply(501, "non-ASCII text is allowed only in addresses with SMTPUTF8", "5.6.7")
UNEXPECTED_ARGUMENT = Reply(501, "unexpected argument data", "5.5.4")
BAD_BDAT = Reply(501, "missing size for BDAT command", "5.5.4")
BDAT_NOT_OFFERED = Reply(503, "BDAT command used when CHUNKING not advertised", "5.5.1")
EMPTY_BDAT = Reply(504, "zero size for BDAT command", "5.5.4")
TLS_NOT_OFFERED = Reply(503, "STARTTLS command used when not advertised", "5.5.1")
SECURITY_FAILURE = Reply(554, "Security failure", "5.7.0")
ALREADY_SECURE = Reply(554, "Already in TLS", "5.5.1")
ATRN_NOT_OFFERED = Reply(502, "ATRN command used when not advertised", "5.5.1")
ATRN_NEEDS_LOGIN = Reply(530, "ATRN is not permitted without authentication", "5.7.0")
ATRN_IN_TRANSACTION = Reply(503, "ATRN is not permitted inside a transaction", "5.5.1")
AUTH_NOT_OFFERED = Reply(503, "AUTH command used when not advertised", "5.5.1")
ALREADY_AUTHENTICATED = Reply(503, "already authenticated", "5.5.1")
BAD_MECHANISM = Reply(501, "invalid character in authentication mechanism name", "5.5.4")
AUTH_CANCELLED = Reply(501, "Authentication cancelled", "5.7.0")
BAD_BASE64 = Reply(501, "Invalid base64 data", "5.5.2")
TOO_BIG = Reply(552, "Message size exceeds maximum permitted", "5.3.4")
TOO_MANY_RECIPIENTS = Reply(452, "too many recipients", "4.5.3")
TOO_MANY_FOR_GOOD = Reply(552, "too many recipients", "5.5.3")
