"""One IMAP connection from greeting to goodbye (RFC 9051 §3).

    await Session(connection, services, settings).run()

The session reads events from the engine, looks commands up by name, runs them one after another, and lets the client know what has
changed in the selected mailbox before each tagged response. Rules kept:

- one bad connection costs only itself: whatever goes wrong ends here, with one line in the log;
- nobody stays without logging in, or without saying anything;
- passwords travel only under TLS or on loopback.
"""

from __future__ import annotations

import asyncio
import ipaddress
import traceback

from pillarbox.mailbox.imap.capability import greeting_code
from pillarbox.mailbox.imap.command import Answer, Command, State, load_commands
from pillarbox.mailbox.imap.output import Output
from pillarbox.mailbox.imap.selected import Dialect, Selected
from pillarbox.mailbox.imap.services import Services, Settings
from pillarbox.mailbox.view import NoSuchMessage
from pillarbox.ports.mailstore import (
    MailboxBusy,
    MailboxExists,
    MailboxNameInvalid,
    MailboxReadOnly,
    MailStore,
    NoSuchMailbox,
    OverQuota,
    StoreGone,
)
from pillarbox.ports.network import DialError, ServedConnection
from pillarbox.ports.users import Account
from pillarbox.wire.imap import events
from pillarbox.wire.imap.cursor import BadSyntax
from pillarbox.wire.imap.engine import ServerEngine
from pillarbox.wire.imap.writing import tagged, untagged
from pillarbox.wire.imap.writing import text as words

_TURN = 32
_STOPPING = "Server is shutting down"
_GOODBYE = 2.0
"""Seconds for the last words."""


class Session:
    """The state that commands read and change."""

    __slots__ = (
        "_commands",
        "_commands_run",
        "_deadline",
        "_errors",
        "_is_stopping",
        "_pending_read",
        "_task",
        "account",
        "connection",
        "dialect",
        "engine",
        "is_busy",
        "is_over",
        "output",
        "selected",
        "services",
        "settings",
        "store",
    )

    def __init__(
        self, connection: ServedConnection, services: Services, settings: Settings | None = None
    ) -> None:
        self.connection = connection
        self.services = services
        self.settings = settings if settings is not None else Settings()
        self.engine = ServerEngine(self.settings.limits)
        self.output = Output(connection, self.settings.write_timeout)
        self.dialect = Dialect()
        self.account: Account | None = None
        self.store: MailStore | None = None
        self.selected: Selected | None = None
        self.is_over = False
        self.is_busy = False
        """In the middle of an answer."""
        self._commands = load_commands()
        self._errors = 0
        self._commands_run = 0
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None
        self._pending_read: asyncio.Task[bytes] | None = None
        self._deadline = services.clock.monotonic() + self.settings.login_timeout

    @property
    def state(self) -> State:
        if self.account is None:
            return State.NOT_AUTHENTICATED
        return State.AUTHENTICATED if self.selected is None else State.SELECTED

    @property
    def peer(self) -> str:
        return self.connection.peer_address[0]

    @property
    def is_confidential(self) -> bool:
        """Nobody listens: passwords may be asked for."""
        return bool(self.connection.tls_cipher) or _is_loopback(self.peer)

    async def run(self) -> None:
        """Until the client has gone. Raises nothing but cancellation from outside."""
        self._task = asyncio.current_task()
        try:
            self.send(untagged(b"OK " + words(f"[{greeting_code(self)}] {self.settings.host_name} ready")))
            await self._loop()
            await self.output.flush()
        except DialError as error:
            if error.error == "timeout":
                await self._try_goodbye("Autologout; idle for too long")
            elif error.error == "tls":
                self.services.journal.main(f"TLS error on connection from [{self.peer}]: {error}")
        except asyncio.CancelledError:
            if not self.is_busy:
                await self._try_goodbye(_STOPPING)
            if not self._is_stopping:
                raise
        except StoreGone as error:
            self.services.journal.main(f"imap session with [{self.peer}] ended: {error.strerror}")
            await self._try_goodbye("[UNAVAILABLE] The mailbox has become unavailable")
        except Exception as error:
            self.services.journal.panic(f"imap session with [{self.peer}] failed: {_describe(error)}")
            await self._try_goodbye("[SERVERBUG] Internal error")
        finally:
            self.unselect()
            if self._pending_read is not None:
                self._pending_read.cancel()
            if self.store is not None:
                self.store.close()
            self.connection.close()

    def stop(self) -> None:
        """The server stops: BYE at once when nothing is being answered, else behind the answer."""
        self._is_stopping = True
        if not self.is_busy and self._task is not None:
            self._task.cancel()

    async def _loop(self) -> None:
        while not self.is_over:
            await self.handle(await self.next_event())
            if self._is_stopping:
                self.end(_STOPPING)

    async def next_event(self) -> events.Event:
        """The next whole thing the client says; waits for it. The end of the stream is the end of the session."""
        while not self.is_over:
            event = self.engine.next_event()
            self.output.put(self.engine.outgoing())
            if not isinstance(event, events.NeedData):
                return event
            await self.output.flush()
            self._take(await self._read())
        return events.NEED_DATA

    def _take(self, data: bytes) -> None:
        if data:
            self.engine.receive(data)
        else:
            self.is_over = True

    async def _read(self) -> bytes:
        task, self._pending_read = self._pending_read, None
        return await task if task is not None else await self.connection.read(self._patience())

    def start_reading(self) -> asyncio.Task[bytes]:
        """A read that may go on while something else is awaited (IDLE). Its data is taken by `finish_reading` or the next event."""
        if self._pending_read is None:
            self._pending_read = asyncio.ensure_future(self.connection.read(self._patience()))
        return self._pending_read

    def finish_reading(self) -> None:
        """The pending read is done: give the engine its data. Raises DialError."""
        task, self._pending_read = self._pending_read, None
        if task is not None:
            self._take(task.result())

    def _patience(self) -> float:
        if self.account is not None:
            return self.settings.idle_timeout
        return max(0.01, self._deadline - self.services.clock.monotonic())

    async def handle(self, event: events.Event) -> None:
        match event:
            case events.Command():
                await self._handle_command(event)
            case events.Refused(tag=tag, status=status, text=text):
                self.send(tagged(tag, status, text))
                self._count(is_error=True)
            case events.Fatal(text=text):
                self.end(text)
            case events.Line():
                self.send(tagged("*", "BAD", "Unexpected line"))

    async def _handle_command(self, event: events.Command) -> None:
        self.is_busy = True
        self._commands_run += 1
        if not self._commands_run % _TURN:
            await asyncio.sleep(0)  # whoever pipelines without end shares the loop all the same
        command = self._construct(event)
        answer: Answer | None
        if isinstance(command, Answer):
            answer = command
        else:
            answer = await self._run(command)
            if command.name != "FETCH" and self.selected is not None:
                self.selected.content = None
            await self.tell_changes(with_expunged=command.by_uid or not command.hides_expunges)
        if answer is not None:
            self.send(tagged(event.tag, answer.status, answer.text))
            self._count(is_error=answer.status == "BAD")
        await self.output.drain()
        self.is_busy = False

    def _construct(self, event: events.Command) -> Command | Answer:
        """The command with its arguments read, or why not."""
        kind = self._commands.get(event.name)
        if kind is None or (event.by_uid and not kind.has_uid_form):
            return Answer("BAD", "Unknown command")
        if not self.state & kind.states:
            return Answer("BAD", f"{event.name} is not possible in this state")
        try:
            command = kind(event.arguments, event.tag, by_uid=event.by_uid)
            event.arguments.end()
        except BadSyntax as error:
            return Answer("BAD", f"{event.name}: {error}")
        return command

    async def _run(self, command: Command) -> Answer | None:
        """What the store refuses, in the words of RFC 5530."""
        try:
            return await command.run(self)
        except NoSuchMailbox:
            return Answer("NO", "[NONEXISTENT] No such mailbox")
        except MailboxExists:
            return Answer("NO", "[ALREADYEXISTS] Mailbox already exists")
        except MailboxNameInvalid as error:
            return Answer("NO", f"[CANNOT] Invalid mailbox name: {error}")
        except OverQuota:
            return Answer("NO", "[OVERQUOTA] Not enough room")
        except MailboxReadOnly as error:
            self.services.journal.main(f"imap session with [{self.peer}]: {error}")
            return Answer("NO", "[NOPERM] The mailbox cannot be changed")
        except MailboxBusy:
            return Answer("NO", "[INUSE] Another program has the mailbox locked; try again later")
        except NoSuchMessage as error:
            return Answer("BAD", str(error))

    async def tell_changes(self, *, with_expunged: bool) -> None:
        """Untagged responses for whatever happened in the selected mailbox."""
        selected = self.selected
        if selected is None or self.is_over:
            return
        try:
            await selected.view.take_changes()
        except NoSuchMailbox:
            self.end("The selected mailbox was deleted")
            return
        report = selected.view.report(with_expunged=with_expunged)
        if report is not None:
            for line in selected.render(report):
                self.send(line)

    def _count(self, *, is_error: bool) -> None:
        """Nobody may guess commands or passwords for ever."""
        if not is_error:
            self._errors = 0 if self.account is not None else self._errors
            return
        self._errors += 1
        limit = self.settings.most_errors if self.account is not None else self.settings.most_errors // 2
        if self._errors >= limit:
            self.end("Too many errors")

    def note_failed_login(self) -> None:
        """Counts as an error besides its NO."""
        self._count(is_error=True)

    def log_in(self, account: Account, store: MailStore) -> None:
        self.account = account
        self.store = store
        self._errors = 0
        self.engine.is_authenticated = True

    @property
    def mail(self) -> MailStore:
        """The account's store, for commands that run after login only."""
        assert self.store is not None
        return self.store

    @property
    def mailbox(self) -> Selected:
        """For commands that run in selected state only."""
        assert self.selected is not None
        return self.selected

    def unselect(self) -> None:
        if self.selected is not None:
            self.selected.mailbox.close()
            self.selected = None

    def send(self, data: bytes) -> None:
        self.output.put(data)

    def end(self, reason: str) -> None:
        """BYE; nothing is read any more."""
        if not self.is_over:
            self.send(untagged(b"BYE " + words(reason)))
            self.is_over = True

    async def _try_goodbye(self, reason: str) -> None:
        try:
            self.end(reason)
            async with asyncio.timeout(_GOODBYE):
                await self.output.flush()
        except (DialError, TimeoutError):
            pass  # nobody is there to hear it


def _describe(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
