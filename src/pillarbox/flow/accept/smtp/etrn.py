"""ETRN: deliver what waits for a domain (RFC 1985; Exim 49.8).

Without `smtp_etrn_command` the argument is what `exim -R` takes, behind a `#`. The queue run is ours, begun at once and not waited for.
"""

from __future__ import annotations

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.etrn_command import EtrnCommand
from pillarbox.flow.accept.refusing import refuse
from pillarbox.flow.accept.rejection import reply_to
from pillarbox.flow.accept.session import Session
from pillarbox.flow.accept.verbs import verb
from pillarbox.flow.check.verdict import Accept
from pillarbox.flow.transport.command_line import CommandError
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.log_line import printable
from pillarbox.wire.smtp.events import Etrn, Problem

OK = Reply(250, "OK", "2.0.0")
FAILED = Reply(458, "Internal failure", "4.3.0")
MALFORMED = Reply(501, "argument must begin with #", "5.5.4")


@verb(Etrn)
async def handle(session: Session, event: Etrn) -> None:
    argument = event.argument
    if session.services.log_style.shows("etrn"):
        session.services.journal.main(f"ETRN {printable(argument)} received from {session.who()}")
    verdict = await run_acl(session, "etrn", session.new_scope())
    if not isinstance(verdict, Accept):
        refuse(session, f"ETRN {argument}", verdict, code=458)
        return
    command = session.services.etrn_command
    if command is not None:
        session.reply(await _run(session, command, argument, reply_to(verdict, OK)))
        return
    if session.services.etrn is None or not argument.startswith("#"):
        session.engine.refuse(Problem.SYNTAX, MALFORMED)
        return
    if session.services.etrn(argument[1:].strip()):
        session.reply(reply_to(verdict, OK))
    else:
        session.reply(_already(argument))


async def _run(session: Session, command: EtrnCommand, argument: str, good: Reply) -> Reply:
    try:
        return good if await command.begin(argument, session.new_scope()) else _already(argument)
    except CommandError as error:
        session.services.journal.panic(f"failed to set up ETRN command: {error}")
        return FAILED


def _already(argument: str) -> Reply:
    return Reply(458, f"Already processing {argument}", "4.5.0")
