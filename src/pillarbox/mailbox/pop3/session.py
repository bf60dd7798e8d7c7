"""One POP3 connection from greeting to goodbye (RFC 1939).

    await Session(connection, services, settings).run()

Commands are answered one after another, their answers go out together when the client pipelines; messages go out in pieces, each
waiting until the peer has taken what was before it. Whatever goes wrong ends this connection only, with one line in the log; without
QUIT nothing is deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pillarbox.mailbox.pop3 import login
from pillarbox.mailbox.pop3.maildrop import Maildrop
from pillarbox.mailbox.pop3.services import Services, Settings
from pillarbox.ports.mailstore import (
    Entry,
    MailboxBusy,
    MailboxReadOnly,
    NoSuchMailbox,
    OverQuota,
    StoreGone,
)
from pillarbox.ports.network import DialError, ServedConnection
from pillarbox.ports.users import Account
from pillarbox.wire.pop3.engine import Offer, ServerEngine, capabilities
from pillarbox.wire.pop3.message import pieces, top
from pillarbox.wire.pop3.verbs import Command, Event, Rejected, SaslResponse, State

_TURN = 64
"""Commands handled before others have their turn."""


class ConnectionClosed(Exception):
    """The client has gone."""


class Session:
    """The state that commands read and change."""

    def __init__(
        self, connection: ServedConnection, services: Services, settings: Settings | None = None
    ) -> None:
        self.connection = connection
        self.services = services
        self.settings = settings or Settings()
        self.engine = ServerEngine(self.settings.limits)
        self.user_name = ""
        self._maildrop: Maildrop | None = None
        self._is_over = False
        self._errors = 0
        self._failed_logins = 0
        self._handled = 0
        self._deadline = services.clock.monotonic() + self.settings.login_timeout

    async def run(self) -> None:
        """Until the client has gone. Raises nothing but cancellation."""
        try:
            self.engine.ok(f"{self.settings.host_name} POP3 ready")
            while not self._is_over:
                await self._handle(await self.next_event())
                await self._take_turns()
            await self.flush()
        except ConnectionClosed:
            pass
        except DialError as error:
            if error.error == "timeout":
                await self._say_goodbye("Idle for too long")
        except StoreGone as error:
            peer = self.connection.peer_address[0]
            self.services.journal.main(f"pop3 session with [{peer}] ended: {error.strerror}")
            await self._say_goodbye("The maildrop has become unavailable")
        except Exception as error:
            peer = self.connection.peer_address[0]
            self.services.journal.panic(f"pop3 session with [{peer}] failed: {type(error).__name__}: {error}")
            await self._say_goodbye("Internal error")
        finally:
            self._release()
            self.connection.close()

    async def next_event(self) -> Event:
        """The next thing the client says. Answers go out before we wait. Raises ConnectionClosed, DialError."""
        while (event := self.engine.next_event()) is None:
            await self.flush()
            data = await self.connection.read(self._patience())
            if not data:
                raise ConnectionClosed
            self.engine.receive(data)
        return event

    def _patience(self) -> float:
        """Who has not logged in has one span of time for all of it."""
        if self._maildrop is not None:
            return self.settings.idle_timeout
        left = self._deadline - self.services.clock.monotonic()
        if left <= 0:
            raise DialError("timeout", "not logged in in time")
        return left

    async def flush(self) -> None:
        if data := self.engine.outgoing():
            await self.connection.write(data, self.settings.write_timeout)

    async def _take_turns(self) -> None:
        """Who pipelines thousands of commands neither fills our memory with answers nor keeps others waiting."""
        self._handled += 1
        if self.engine.is_full():
            await self.flush()
        if self._handled % _TURN == 0:
            await asyncio.sleep(0)

    async def _say_goodbye(self, text: str) -> None:
        self.engine.err(text, "SYS/TEMP")
        try:
            await self.flush()
        except DialError:
            return

    async def _handle(self, event: Event) -> None:
        match event:
            case Command():
                await _COMMANDS[event.verb](self, event)
            case Rejected():
                self.refuse(event.text)
            case SaslResponse():
                self.refuse("Nothing was asked")

    def refuse(self, text: str) -> None:
        """An error of the client's: too many of them end the session."""
        self._errors += 1
        if self._errors >= self.settings.most_errors:
            self._is_over = True
            text += "; too many errors, goodbye"
        self.engine.err(text)

    def note_failed_login(self, log: str) -> None:
        self._failed_logins += 1
        self._is_over = self._failed_logins >= self.settings.most_failed_logins
        self.services.journal.main(f"pop3 login failed: H=[{self.connection.peer_address[0]}] {log}")

    async def enter_maildrop(self, account: Account) -> None:
        """AUTHORIZATION → TRANSACTION: take the lock and the snapshot."""
        try:
            unlock = await self.services.locks.take(account.home, account.actor)
        except OSError as error:
            self._cannot_open(account, error)
            return
        if unlock is None:
            self.engine.err("Another POP3 session has this maildrop open", "IN-USE")
            return
        try:
            store = await self.services.stores.open_store(account.home, account.actor)
            try:
                self._maildrop = Maildrop(store, await store.open("INBOX"), unlock)
            except BaseException:
                store.close()
                raise
        except (OSError, MailboxBusy, MailboxReadOnly, NoSuchMailbox, OverQuota) as error:
            unlock()
            self._cannot_open(account, error)
            return
        except BaseException:
            unlock()
            raise
        self.engine.state = State.TRANSACTION
        self.engine.ok(self.maildrop.summary())

    def _cannot_open(self, account: Account, error: Exception) -> None:
        """A Maildir that is closed to us, say."""
        self.services.journal.main(f"pop3 maildrop of {account.name} cannot be opened: {error}")
        self.engine.err("The maildrop cannot be opened at the moment", "SYS/TEMP")

    @property
    def maildrop(self) -> Maildrop:
        """The engine lets commands that need it through in the TRANSACTION state only."""
        if self._maildrop is None:
            raise RuntimeError("no maildrop in the AUTHORIZATION state")
        return self._maildrop

    def message(self, command: Command) -> Entry | None:
        """The message of a command's first number; None when the client has been told that there is none."""
        entry = self.maildrop.get(command.numbers[0])
        if entry is None:
            self.engine.err("No such message")
        return entry

    async def send_message(self, content: bytes | None) -> None:
        if content is None:
            self.engine.err("The message has been removed by another program", "SYS/TEMP")
            return
        self.engine.ok(f"{len(content)} octets")
        for piece in pieces(content):
            self.engine.piece(piece)
            await self.flush()

    async def leave(self) -> None:
        """QUIT: the UPDATE state when there is a maildrop."""
        self._is_over = True
        is_done = self._maildrop is None or await self._update()
        self._release()  # a client that has heard the answer may come again at once
        if is_done:
            self.engine.ok("Goodbye")
        else:
            self.engine.err("Some deleted messages not removed", "SYS/PERM")

    def _release(self) -> None:
        if self._maildrop is not None:
            self._maildrop.close()
            self._maildrop = None

    async def _update(self) -> bool:
        try:
            return await self.maildrop.update()
        except (OSError, MailboxBusy, MailboxReadOnly, NoSuchMailbox, OverQuota) as error:
            self.services.journal.main(f"pop3 update failed: {error}")
            return False


async def _capa(session: Session, command: Command) -> None:
    is_login = session.engine.state is State.AUTHORIZATION
    offer = Offer(
        can_use_passwords=is_login and login.is_confidential(session),
        can_start_tls=is_login and session.settings.can_start_tls and not session.connection.tls_cipher,
        mechanisms=login.mechanisms(session),
    )
    session.engine.lines("Capabilities follow", capabilities(offer))


async def _quit(session: Session, command: Command) -> None:
    await session.leave()


async def _stat(session: Session, command: Command) -> None:
    messages, octets = session.maildrop.totals()
    session.engine.ok(f"{messages} {octets}")


async def _list(session: Session, command: Command) -> None:
    _answer_listing(session, command, lambda entry: str(entry.size))


async def _uidl(session: Session, command: Command) -> None:
    _answer_listing(session, command, session.maildrop.unique_id)


def _answer_listing(session: Session, command: Command, describe: Callable[[Entry], str]) -> None:
    if not command.numbers:
        lines = (f"{number} {describe(entry)}" for number, entry in session.maildrop.present())
        session.engine.lines("The list follows", lines)
    elif (entry := session.message(command)) is not None:
        session.engine.ok(f"{command.numbers[0]} {describe(entry)}")


async def _retr(session: Session, command: Command) -> None:
    if (entry := session.message(command)) is not None:
        await session.send_message(await session.maildrop.content(entry))


async def _top(session: Session, command: Command) -> None:
    if (entry := session.message(command)) is not None:
        content = await session.maildrop.content(entry, is_whole=False)
        await session.send_message(None if content is None else top(content, command.numbers[1]))


async def _dele(session: Session, command: Command) -> None:
    if (entry := session.message(command)) is not None:
        session.maildrop.mark(entry)
        session.engine.ok("Marked")


async def _rset(session: Session, command: Command) -> None:
    session.maildrop.unmark_all()
    session.engine.ok(session.maildrop.summary())


async def _noop(session: Session, command: Command) -> None:
    session.engine.ok()


_COMMANDS: dict[str, Callable[[Session, Command], Awaitable[None]]] = {
    "USER": login.user,
    "PASS": login.password,
    "AUTH": login.auth,
    "STLS": login.start_tls,
    "CAPA": _capa,
    "QUIT": _quit,
    "STAT": _stat,
    "LIST": _list,
    "UIDL": _uidl,
    "RETR": _retr,
    "TOP": _top,
    "DELE": _dele,
    "RSET": _rset,
    "NOOP": _noop,
}
