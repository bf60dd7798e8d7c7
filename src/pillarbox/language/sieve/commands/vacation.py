"""`vacation` (RFC 5230): answer people who write to the user, each once in `:days`.

Whether a message is from a person is what Exim's `personal` says, looking for the user in To:, Cc: and Bcc:. The subject is that of RFC 5230,
"Auto: …", and `Automated reply` where the message has none. With `:mime` the text brings its own header lines; else it is sent as UTF-8.

`:handle` names the answer and nothing else (Exim 4.100 puts it into From:).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pillarbox.language.addresses import AddressError, working_address
from pillarbox.language.expand.octets import octets
from pillarbox.language.filter.personal import is_personal
from pillarbox.language.sieve.actions import Vacation as Answer
from pillarbox.language.sieve.errors import SieveError
from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import command
from pillarbox.language.sieve.run import Run
from pillarbox.language.sieve.texts import in_header, one_line, with_lf
from pillarbox.mail.header import split_message
from pillarbox.mail.quoted_printable import quoted_printable

DAYS = 7
MIN_DAYS, MAX_DAYS = 1, 31
_MIME = (
    'MIME-Version: 1.0\nContent-Type: text/plain;\n\tcharset="utf-8"\n'
    "Content-Transfer-Encoding: quoted-printable\n"
)
_RECIPIENTS_IN = ("to", "cc", "bcc")


@dataclass(slots=True)
class Vacation:
    """Strings as the script has them, with CRLF. `position`: of the command."""

    position: int
    reason: str = ""
    days: int = DAYS
    subject: str | None = None
    sender: str = ""
    addresses: tuple[str, ...] = ()
    is_mime: bool = False
    handle: str = ""

    def run(self, run: Run) -> None:
        if run.has_answered:
            raise SieveError("trying to execute vacation more than once", self.position)
        run.has_answered = True
        circumstances = run.circumstances
        own = (*circumstances.own_addresses, *self.addresses)
        if not circumstances.envelope.sender or not is_personal(run.message.headers, own, _RECIPIENTS_IN):
            run.tell("Sieve: mail was not personal, vacation would ignore it")
            return
        run.tell(f"Sieve: mail was personal, vacation file basename: {self.basename}")
        headers, text = self._composed()
        envelope = circumstances.envelope
        sender = self.sender or f"{envelope.local_part}@{envelope.domain}"
        answer = Answer(self.basename, self.days, one_line(sender), self._subject(run), headers, text)
        run.act(answer, self.position)

    @property
    def basename(self) -> str:
        """As Exim's, so that answers sent before a change of servers count."""
        key = self.handle or f"{self.subject or ''}{self.sender}{int(self.is_mime)}{self.reason}"
        return hashlib.md5(octets(key), usedforsecurity=False).hexdigest().upper()

    def _subject(self, run: Run) -> str:
        if self.subject is not None:
            return in_header(octets(self.subject))
        subject = run.message.header("subject")
        return in_header(b"Automated reply" if subject is None else b"Auto: " + subject)

    def _composed(self) -> tuple[str, str]:
        """Header lines and text."""
        data = octets(with_lf(self.reason))
        if self.is_mime:
            headers, body = split_message(data)
            block = headers.decode("ascii")
            return block if not block or block.endswith("\n") else f"{block}\n", body.decode("ascii")
        return _MIME, quoted_printable(data)


@command("vacation", needs="vacation")
def parse_vacation(parser: Parser) -> Vacation:
    return _Reading(parser).read()


class _Reading:
    """The command's arguments, as they are read."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._command = Vacation(parser.scanner.at)

    def read(self) -> Vacation:
        """Raises SieveError."""
        parser, command = self._parser, self._command
        parser.options(
            {
                "days": self._days,
                "subject": self._subject,
                "from": self._from,
                "addresses": self._addresses,
                "mime": self._mime,
                "handle": self._handle,
            }
        )
        command.reason = parser.string("missing reason string")
        if command.is_mime and not command.reason.isascii():
            raise parser.scanner.error("MIME reason string contains 8bit text")
        return command

    def _days(self) -> None:
        days = self._parser.scanner.number()
        if days is None:
            raise self._parser.scanner.error("missing number")
        self._command.days = min(max(days, MIN_DAYS), MAX_DAYS)

    def _subject(self) -> None:
        self._command.subject = self._parser.string("subject string expected")

    def _from(self) -> None:
        sender = self._parser.string("from string expected")
        if not sender.strip():
            raise self._parser.scanner.error("empty address")
        try:
            working_address(sender)
        except AddressError as error:
            raise self._parser.scanner.error(f'malformed address "{one_line(sender)}" ({error})') from None
        self._command.sender = sender

    def _addresses(self) -> None:
        self._command.addresses = self._parser.strings("addresses")

    def _mime(self) -> None:
        self._command.is_mime = True

    def _handle(self) -> None:
        self._command.handle = self._parser.string("handle string expected")
