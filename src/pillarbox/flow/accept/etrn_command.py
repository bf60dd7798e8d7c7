"""`smtp_etrn_command`: what is run for ETRN, whatever its argument (Exim 49.2.5). Nobody waits for it.

As Exim's command it is divided into arguments first; `$domain` is what the client said, and tainted: only what a lookup made of it may be an
argument. With `smtp_etrn_serialize` a command that is still running is not begun a second time.
"""

from __future__ import annotations

import asyncio
import errno
import os

import msgspec

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.transport.command_line import CommandError, CommandLine
from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Recipient
from pillarbox.ports.journal import Journal
from pillarbox.ports.localwork import CommandEnd, CommandWork, LocalWork, WorkRefused

WHO = "ETRN processing"
NOT_FOUND = CommandEnd(failed_to="exec", error=errno.ENOENT)
ENVIRONMENT = (("PATH", "/bin:/usr/bin"),)


class EtrnCommand:
    """Of one configuration."""

    __slots__ = ("_is_serial", "_journal", "_running", "_source", "_tasks", "_work")

    def __init__(self, source: str, work: LocalWork, journal: Journal, *, is_serial: bool) -> None:
        self._source = source
        self._work = work
        self._journal = journal
        self._is_serial = is_serial
        self._running: set[str] = set()
        """Arguments of ETRN."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, argument: str, scope: Scope) -> bool:
        """False: it is running already. Raises CommandError."""
        said = msgspec.structs.replace(Candidate.first(Recipient("")), domain=argument)
        try:
            line = CommandLine.parse(self._source, WHO)
            words = await line.arguments(scope.with_facet(Candidate, said), ())
        except ExpansionDeferred as error:
            raise CommandError(str(error)) from error
        if self._is_serial and argument in self._running:
            return False
        self._running.add(argument)
        task = asyncio.get_running_loop().create_task(self._run(argument, words))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def settle_down(self) -> None:
        """Until all that was begun has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, argument: str, words: tuple[str, ...]) -> None:
        work = CommandWork(actor=None, arguments=words, environment=ENVIRONMENT, directory="/")
        try:
            end = await self._work.run(work) if words[0].startswith("/") else NOT_FOUND
        except WorkRefused as error:
            self._journal.panic(f'exec of "{words[0]}" (ETRN) failed: {error}')
            return
        finally:
            self._running.discard(argument)
        if end.failed_to:
            why = os.strerror(end.error) if end.error else end.failed_to
            self._journal.panic(f'exec of "{words[0]}" (ETRN) failed: {why}')
