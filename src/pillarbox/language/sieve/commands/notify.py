"""`notify` (RFC 5435) by mail (RFC 5436): the subject is `:message`, that of the address, or the message's own."""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.language.expand.octets import octets, text_of
from pillarbox.language.sieve.actions import Notify as Notification
from pillarbox.language.sieve.mailto import BadUri, MailTo, parse_mailto
from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import command
from pillarbox.language.sieve.run import Run
from pillarbox.language.sieve.texts import in_header, one_line

_IMPORTANCES = frozenset({"1", "2", "3"})


@dataclass(slots=True)
class Notify:
    position: int
    mail: MailTo | None = None
    sender: str = ""
    message: str | None = None

    def run(self, run: Run) -> None:
        assert self.mail is not None
        owner, envelope = run.circumstances.owner, run.circumstances.envelope
        sender = self.sender or f"{envelope.local_part}@{envelope.domain}"
        headers = (
            f"From: {one_line(sender)}\n"
            f"To: {','.join(self.mail.to)}\n"
            f"Auto-Submitted: auto-notified; {one_line(owner)}\n"
            f"Subject: {in_header(self._subject(run))}\n"
        )
        run.act(
            Notification(self.mail.to, headers, text_of(self.mail.body)),
            self.position,
        )

    def _subject(self, run: Run) -> bytes:
        assert self.mail is not None
        if self.message is not None:
            return octets(self.message)
        if self.mail.subject is not None:
            return self.mail.subject
        return run.message.header("subject") or b""


@command("notify", needs="enotify")
def parse_notify(parser: Parser) -> Notify:
    command = Notify(parser.scanner.at)

    def take_from() -> None:
        command.sender = parser.string("from string expected")

    def take_importance() -> None:
        if parser.string("importance string expected") not in _IMPORTANCES:
            raise parser.scanner.error("invalid importance")

    def take_message() -> None:
        command.message = parser.string("message string expected")

    def take_options() -> None:
        parser.strings("options")

    parser.options(
        {"from": take_from, "importance": take_importance, "message": take_message, "options": take_options}
    )
    uri = parser.string("missing method string")
    try:
        command.mail = parse_mailto(uri)
    except BadUri as error:
        raise parser.scanner.error(str(error)) from None
    return command
