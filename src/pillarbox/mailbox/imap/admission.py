"""What LOGIN and AUTHENTICATE do with the outcome: open the store, or say no in the words of RFC 5530."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from pillarbox.mailbox.imap.capability import greeting_code
from pillarbox.mailbox.imap.command import Answer, bad, no
from pillarbox.ports.logins import Failure, Success

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session

NOT_CONFIDENTIAL = "[PRIVACYREQUIRED] Passwords travel under TLS only"


async def admit(session: Session, outcome: Success | Failure) -> Answer:
    """The tagged answer to a login."""
    match outcome:
        case Success(account=account):
            try:
                store = await session.services.stores.open_store(account.home, account.actor)
            except OSError as error:  # a Maildir that is closed to us, say
                session.services.journal.main(f"imap mailbox of {account.name} cannot be opened: {error}")
                return no("[UNAVAILABLE] The mailbox cannot be opened at the moment")
            session.log_in(account, store)
            return Answer("OK", f"[{greeting_code(session)}] Logged in")
        case Failure(kind=kind, name=name, log=log):
            session.services.journal.main(
                f"imap_login authenticator failed for [{session.peer}]: 535 Incorrect authentication data"
                f" (set_id={name}): {log}"
            )
            session.note_failed_login()
            return _refusal(kind)
        case _:
            assert_never(outcome)


def _refusal(kind: str) -> Answer:
    match kind:
        case "credentials":
            return no("[AUTHENTICATIONFAILED] Name or password is wrong")
        case "malformed":
            return bad("Malformed response")
    return no("[UNAVAILABLE] Try again later")
