"""What a session says of its decisions besides the log: which lists of the configuration it asks about its client (`exim -bh`, Exim 5.2).

Only a session that somebody listens to tells. Lists are told where Exim asks them, whether the session has to ask or knows the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session

AT_FIRST = (
    "sender_unqualified_hosts",
    "recipient_unqualified_hosts",
    "helo_verify_hosts",
    "helo_try_verify_hosts",
    "helo_accept_junk_hosts",
)
OFFERS = (
    "limits_advertise_hosts",
    "dsn_advertise_hosts",
    "pipelining_advertise_hosts",
    "auth_advertise_hosts",
    "chunking_advertise_hosts",
    "tls_advertise_hosts",
    "smtputf8_advertise_hosts",
    "wellknown_advertise_hosts",
)


class Listener(Protocol):
    async def hear_lists(self, session: Session, options: tuple[str, ...], subject: str = "") -> None:
        """The session asks these main options about `subject`, or about its client."""
        ...

    def hear(self, session: Session, text: str, depth: int) -> None:
        """Anything else."""
        ...

    async def hear_command(self, session: Session) -> None:
        """A command has come."""
        ...


async def tell_lists(session: Session, *options: str, subject: str = "") -> None:
    listener = session.services.listener
    if listener is not None:
        await listener.hear_lists(session, options, subject)


def tell(session: Session, text: str, depth: int = 0) -> None:
    """`depth`: below 0 at the left, whatever has been told."""
    listener = session.services.listener
    if listener is not None:
        listener.hear(session, text, depth)
