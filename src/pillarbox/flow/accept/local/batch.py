"""Reading batched SMTP: commands without a dialogue, one transaction behind the other (Exim 49.11).

HELO and EHLO may be left out; RSET, NOOP, QUIT, VRFY and the like are as in SMTP. No policy is asked for recipients: who may write to our
standard input may submit. Lines end with LF or CRLF. Parameters of MAIL and RCPT are errors. So is an unknown
command, as Exim's specification says; Exim ends the batch there, and says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NoReturn

import msgspec

from pillarbox.language.addresses import AddressError, working_address
from pillarbox.wire.smtp.grammar import is_helo_name

MAX_LINE = 1 << 20
UNEXPECTED_ARGUMENT = "501 Unexpected argument data"


class Transaction(msgspec.Struct, frozen=True):
    """One message of a batch. `sender` is empty for the null one."""

    helo: str
    sender: str
    recipients: tuple[str, ...]
    data: bytes
    began_at: int
    """Line behind which it begins: the end of what came before."""
    ended_at: int

    def line_at(self, octets: int) -> int:
        """The line of the input that holds the octet behind so many of the message."""
        return self.ended_at - self.data.count(b"\n") + self.data[:octets].count(b"\n")


class BatchError(Exception):
    """`str()` is the reply that SMTP would have; `command` is the line at fault, empty when there is none."""

    def __init__(self, reply: str, began_at: int, line: int, command: str, lost: str = "") -> None:
        super().__init__(reply)
        self.lost = lost
        """How far a message had come when the input ended: ` (header)`, ` (after header)`, a blank for its body; empty: it did not."""
        self.began_at = began_at
        self.line = line
        self.command = command


def read_batch(
    source: BinaryIO,
    *,
    keeps_unqualified: bool = False,
    recipients_max: int = 0,
    too_many: str = "452 too many recipients",
) -> Iterator[Transaction]:
    """Raises BatchError, and gives nothing after it. `keeps_unqualified`: addresses must have domains; `too_many`: the reply to a recipient
    beyond `recipients_max` (0: there may be as many as one likes)."""
    batch = _Batch(source, recipients_max, too_many, keeps_unqualified=keeps_unqualified)
    return batch.transactions()


class _Batch:
    __slots__ = (
        "_began_at",
        "_helo",
        "_keeps_unqualified",
        "_line",
        "_recipients",
        "_recipients_max",
        "_sender",
        "_source",
        "_too_many",
    )

    def __init__(
        self, source: BinaryIO, recipients_max: int, too_many: str, *, keeps_unqualified: bool
    ) -> None:
        self._source = source
        self._recipients_max = recipients_max
        self._too_many = too_many
        self._keeps_unqualified = keeps_unqualified
        self._line = 0
        self._helo = ""
        self._began_at = 0
        self._sender: str | None = None
        self._recipients: list[str] = []

    def transactions(self) -> Iterator[Transaction]:
        while raw := self._next(MAX_LINE):
            self._line += 1
            command = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
            verb, _, rest = command.partition(" ")
            match verb.upper():
                case "HELO" | "EHLO":
                    self._helo = rest.strip() if is_helo_name(rest.strip()) else ""
                    self._forget()
                case "MAIL":
                    self._mail(command)
                case "RCPT":
                    self._rcpt(command)
                case "DATA":
                    yield self._data(command)
                case "RSET" | "QUIT" if rest.strip():
                    self._fail(UNEXPECTED_ARGUMENT, command)
                case "RSET":
                    self._forget()
                case "QUIT":
                    return
                case "NOOP" | "HELP" | "VRFY" | "EXPN" | "ETRN" | "ATRN":
                    self._began_at = self._line
                case "":
                    continue
                case _:
                    self._fail("500 Command unrecognized", command)

    def _next(self, most: int = -1) -> bytes:
        """A line; where nothing can be read the input has ended."""
        try:
            return self._source.readline(most)
        except OSError:
            return b""

    def _forget(self) -> None:
        self._sender, self._recipients = None, []
        self._began_at = self._line

    def _fail(self, reply: str, command: str) -> NoReturn:
        raise BatchError(reply, self._began_at, self._line, command)

    def _lost(self, lines: list[bytes], *, is_whole: bool) -> NoReturn:
        """The input ends inside a message; `is_whole`: at the end of a line."""
        where = "" if b"" in lines else " (after header)" if is_whole and lines else " (header)"
        raise BatchError("421 Lost incoming connection", self._began_at, self._line, "", where or " ")

    def _mail(self, command: str) -> None:
        if self._sender is not None:
            self._fail("503 Sender already given", command)
        text = _behind(command, "MAIL FROM:")
        self._sender = "" if text in ("", "<>") else self._address(text, command, "sender")

    def _rcpt(self, command: str) -> None:
        if self._sender is None:
            self._fail("503 No sender yet given", command)
        address = self._address(_behind(command, "RCPT TO:"), command, "recipient")
        if 0 < self._recipients_max <= len(self._recipients):
            self._fail(self._too_many, command)
        self._recipients.append(address)

    def _address(self, text: str, command: str, whose: str) -> str:
        if text == "<>":
            self._fail("501 missing or malformed local part", command)
        try:
            found = working_address(text)
        except AddressError as error:
            self._fail(f"501 {error}", command)
        if self._keeps_unqualified and not found.domain_at:
            self._fail(f"501 {whose} address must contain a domain", command)
        return found.address

    def _data(self, command: str) -> Transaction:
        if command[4:].strip():
            self._fail(UNEXPECTED_ARGUMENT, command)
        if self._sender is None:
            self._fail("503 MAIL FROM:<sender> command must precede DATA", command)
        if not self._recipients:
            self._fail("503 RCPT TO:<recipient> must precede DATA", command)
        lines: list[bytes] = []
        is_whole = True
        while (line := self._next()) and line.rstrip(b"\r\n") != b".":
            self._line += 1
            is_whole = line.endswith(b"\n")
            line = line.rstrip(b"\r\n")
            lines.append(line[1:] if line.startswith(b".") else line)
        if not line:
            self._lost(lines, is_whole=is_whole)
        self._line += 1
        data = b"".join(line + b"\n" for line in lines)
        made = Transaction(
            self._helo, self._sender or "", tuple(self._recipients), data, self._began_at, self._line
        )
        self._forget()
        return made


def _behind(command: str, words: str) -> str:
    return command[len(words) :].strip() if command.upper().startswith(words) else command[4:].strip()
