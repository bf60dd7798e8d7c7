"""autoreply: send a message in answer to a message (Exim chapter 27).

    what to say → to whom → had it before? → compose → into the queue → once and log files

The answer comes from nobody, so nothing answers it; where there is nobody to write to (a bounce, all addresses in never_mail) nothing is
sent and the delivery is done. Files are read and written as whom the delivery runs as.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from errno import EIO, ENOENT

import msgspec

from pillarbox.config.declare import option
from pillarbox.config.kinds import Octal
from pillarbox.flow.own_message import NotTaken
from pillarbox.flow.transport.command_line import CommandError
from pillarbox.flow.transport.filtering import FilterFailed
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.outcomes import defer_all, delivered, fail_all
from pillarbox.flow.transport.replying import composing, once
from pillarbox.flow.transport.replying.answer import Answer, BadAnswer, answer_of_filter, answer_of_options
from pillarbox.flow.transport.replying.composing import Author
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.surroundings import Unfit
from pillarbox.flow.transport.transport import Prepared, Transport
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import replay
from pillarbox.language.expand.template import Template
from pillarbox.language.filter.mail_command import BAD_REPLY
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.rewrite.fields import change_addresses
from pillarbox.mail.message import MemoryBody
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.reply import Reason
from pillarbox.ports.localwork import WorkRefused
from pillarbox.ports.spool import SpoolFull
from pillarbox.ports.userfiles import FileResult, FileRules, FileWork, Locking, NotWritten, Written
from pillarbox.wire.exim.error_numbers import unnamed
from pillarbox.wire.exim.log_line import printable

_LARGEST_FILE = 16 << 20


class Autoreply(Transport, driver="autoreply"):
    """Write back."""

    bcc: Template | None = option(default=None, doc="Addresses for Bcc:.")
    cc: Template | None = option(default=None, doc="Addresses for Cc:.")
    file: Template | None = option(default=None, doc="A file that holds the text.")
    file_expand: bool = option(default=False, doc="Expand each of its lines.")
    file_optional: bool = option(default=False, doc="It need not be there.")
    from_address: Template | None = option(default=None, name="from", doc="The From: of the answer.")
    headers: Template | None = option(default=None, doc="More header lines.")
    log: Template | None = option(default=None, doc="A file in which answers are logged.")
    mode: Octal = option(default=0o600, doc="Permissions of the files that it makes.")
    never_mail: AddressList | None = option(default=None, doc="Addresses never to write to.")
    once: Template | None = option(default=None, doc="A file that remembers who was written to.")
    once_file_size: int = option(
        default=0, doc="How large it may become, as a ring; 0: a database that grows."
    )
    once_repeat: Template | None = option(default=None, doc="Write again after this time; 0s: never.")
    reply_to: Template | None = option(default=None, doc="The Reply-To: of the answer.")
    return_message: bool = option(default=False, doc="Put the message behind the answer.")
    subject: Template | None = option(default=None, doc="The Subject: of the answer.")
    text: Template | None = option(default=None, doc="The text.")
    to: Template | None = option(default=None, doc="Addresses for To:.")

    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        if job.assignments[0].file == f">{BAD_REPLY}":
            return fail_all(job, Reason("filter autoreply generated syntactically invalid recipient"))
        try:
            await _Replying(self, job, await self.prepare(job, services), services).run()
        except BadAnswer as bad:
            reason = Reason(str(bad))
            if bad.is_permanent:
                return fail_all(job, reason)
            return defer_all(job, reason, key_of=self.retry_key_of, error=unnamed(bad.number))
        except (
            CommandError,
            ExpansionDeferred,
            ExpansionFailed,
            FilterFailed,
            SpoolFull,
            Unfit,
            WorkRefused,
        ) as error:
            return defer_all(job, Reason(str(error)), key_of=self.retry_key_of)
        return [delivered(a, log_word=a.file or a.bare_local_part) for a in job.assignments]


class _Replying:
    """One answer."""

    __slots__ = ("_job", "_now", "_options", "_prepared", "_services")

    def __init__(self, options: Autoreply, job: Job, prepared: Prepared, services: TransportServices) -> None:
        self._options = options
        self._job = job
        self._prepared = prepared
        self._services = services
        self._now = services.clock.now()

    async def run(self) -> None:
        """Raises BadAnswer and what its parts raise."""
        answer = await self._answer()
        author = self._author()
        if self._options.never_mail is not None:
            answer = await self._allowed(answer, self._options.never_mail, author)
            if not (answer.to or answer.cc or answer.bcc):
                return
        known = await self._known(answer)
        if known is not None and not once.is_due(known[1], answer.to, self._now, answer.once_repeat):
            await self._log(answer, f"{self._stamp()}\n  previously sent to {answer.to[:200]}\n")
            return
        await self._send(answer, author)
        if known is not None:
            path, found = known
            size = self._options.once_file_size
            data = once.render(found, answer.to, self._now, size)
            self._tell(path, await self._replace(path, data, makes_directory=answer.makes_once_directory))
        await self._log(answer, composing.log_text(answer, self._stamp()))

    async def _answer(self) -> Answer:
        assignment = self._job.assignments[0]
        if assignment.reply is None:
            return await answer_of_options(self._options, self._prepared.scope)
        to = assignment.file.removeprefix(">")
        return answer_of_filter(assignment.reply, to, returns_message=self._options.return_message)

    def _author(self) -> Author:
        actor, services = self._prepared.surroundings.actor, self._services
        user = services.identities.user(str(actor.uid)) if actor is not None else None
        login = (user.name if user is not None else "") or services.login or "mail"
        return Author(
            login=login,
            full_name=services.full_name_of(login),
            hostname=services.hostname,
            qualify_domain=services.qualify_domain,
            recipient_domain=services.recipient_domain,
        )

    async def _allowed(self, answer: Answer, never: AddressList, author: Author) -> Answer:
        """Without those that are never written to."""
        scope = self._prepared.scope
        try:
            await replay(scope, never.items_now)
        except (ExpansionDeferred, ExpansionFailed):
            what = f'Failed to expand "{never.source}" for "never_mail" in {self._options.name} transport'
            raise BadAnswer(what) from None
        everybody = composing.addressees(answer, author).good
        unwanted = [one for one in everybody if await never.matches(one, scope)]
        if not unwanted:
            return answer
        to, cc, bcc = (composing.without(text, unwanted) for text in (answer.to, answer.cc, answer.bcc))
        return msgspec.structs.replace(answer, to=to, cc=cc, bcc=bcc)

    async def _send(self, answer: Answer, author: Author) -> None:
        services = self._services
        body = await self._body(answer)
        good, bad = composing.addressees(answer, author)
        if not (good or bad):
            return
        if services.inject is None:
            raise BadAnswer("messages cannot be sent here", is_permanent=False)
        message_id = services.inject.new_id()
        if bad:
            self._tell_of_bad(message_id, bad)
        if not good:
            for text in (answer.to, answer.cc):
                change_addresses(
                    text, lambda _: None, lambda why: services.journal.main(f"{message_id} {why}")
                )
            raise BadAnswer(
                f"Failed to send message from {self._options.name} transport (1)", is_permanent=False
            )
        envelope, message = composing.compose(
            answer, body, good, message_id, self._job.message, author, self._now
        )
        try:
            await services.inject(envelope, message, self._job.envelope.id)
        except NotTaken:
            raise BadAnswer(
                f"Failed to send message from {self._options.name} transport (1)", is_permanent=False
            ) from None

    def _tell_of_bad(self, message_id: str, bad: Sequence[str]) -> None:
        """Bad addresses do not keep others from their answer. In Exim's words."""
        journal, about = self._services.journal, f"(R={self._job.envelope.id})"
        journal.main(
            f"{message_id} Error while reading message with no usable sender address {about}: "
            f"at least one malformed recipient address: {printable(bad[0])}"
        )
        journal.panic(f"{message_id} bad addresses found in headers")

    async def _body(self, answer: Answer) -> bytes:
        body = answer.text.encode("utf-8", "surrogateescape")
        if body and not body.endswith(b"\n"):
            body += b"\n"
        if answer.file:
            body += await self._file(answer)
        if answer.returns_message:
            body += await self._copy()
        return body

    async def _file(self, answer: Answer) -> bytes:
        path = self._absolute(answer.file)
        found = await self._services.local_work.read(
            path, self._prepared.surroundings.actor, limit=_LARGEST_FILE
        )
        if found.error:
            if self._options.file_optional:
                return b""
            raise self._cannot_open("file", answer.file, found.error)
        if not answer.expands_file:
            return found.data
        lines = found.data.decode("utf-8", "surrogateescape").splitlines(keepends=True)
        return "".join([await self._line(line) for line in lines]).encode("utf-8", "surrogateescape")

    async def _line(self, line: str) -> str:
        """As it is where it cannot be expanded."""
        try:
            return await Template.parse(line).expand(self._prepared.scope)
        except (ExpandSyntaxError, ExpansionDeferred, ExpansionFailed):
            return line

    async def _copy(self) -> bytes:
        options, limit = self._options, self._services.return_size_limit
        copy = await options.copy_of(self._job, self._prepared, self._services)
        copy = msgspec.structs.replace(copy, body=composing.bounded(copy.body, limit))
        return composing.returned(
            copy.pieces(), body_only=options.body_only, headers_only=options.headers_only
        )

    async def _known(self, answer: Answer) -> tuple[str, dict[str, int]] | None:
        """The `once` file and what it says; None without one, or nobody in To:."""
        if not answer.once or not answer.to:
            return None
        path = self._absolute(answer.once)
        actor = self._prepared.surroundings.actor
        for each in (path, path + once.BESIDE):
            found = await self._services.local_work.read(each, actor, limit=once.LIMIT)
            if found.error == ENOENT:
                await self._begin(each, answer)
                return each, {}
            if found.error:
                raise self._cannot_open("file", answer.once, found.error)
            try:
                return each, once.parse(found.data)
            except once.NotOurs:
                continue
        raise BadAnswer(f"{answer.once} is no file of answers sent", is_permanent=False)

    async def _begin(self, path: str, answer: Answer) -> None:
        """An empty file, before anybody is written to: where it cannot be kept who was, nobody is. Raises BadAnswer."""
        result = await self._replace(path, b"", makes_directory=answer.makes_once_directory)
        if not isinstance(result, Written):
            what = '"once" file' if self._options.once_file_size > 0 else "sqlite3 file"
            code = result.code if isinstance(result, NotWritten) else EIO
            raise self._cannot_open(what, answer.once, code)

    async def _replace(self, path: str, data: bytes, *, makes_directory: bool) -> FileResult | None:
        """A new file in place of the old one; None: we may not."""
        directory, _, name = path.rpartition("/")
        unique = f"{self._job.envelope.id}-once"
        rules = FileRules(mode=self._options.mode, creates_directory=makes_directory)
        work = FileWork(kind="single", path=directory or "/", rules=rules, head=data, unique=unique)
        result = await self._write(work)
        if not isinstance(result, Written):
            return result
        return await self._write(
            msgspec.structs.replace(work, kind="rename", head=b"", name=name, replaces=True)
        )

    async def _log(self, answer: Answer, text: str) -> None:
        if not answer.log:
            return
        rules = FileRules(
            mode=self._options.mode,
            creates_directory=False,
            fails_when_narrower=False,
            locking=Locking(with_lockfile=False),
        )
        data = text.encode("utf-8", "surrogateescape")
        path = self._absolute(answer.log)
        self._tell(path, await self._write(FileWork(kind="mbox", path=path, rules=rules, head=data)))

    async def _write(self, work: FileWork) -> FileResult | None:
        """None: we may not."""
        actor = self._prepared.surroundings.actor
        try:
            return await self._services.local_work.deliver(work, MemoryBody(b""), actor)
        except WorkRefused as refusal:
            self._services.journal.main(f"{self._job.envelope.id} {self._options.name} transport: {refusal}")
            return None

    def _tell(self, path: str, result: FileResult | None) -> None:
        """The answer is on its way whatever becomes of the file: trouble is logged."""
        if result is not None and not isinstance(result, Written):
            self._services.journal.main(
                f"{self._job.envelope.id} {self._options.name} transport: {path} was not written"
            )

    def _absolute(self, path: str) -> str:
        return os.path.join(self._prepared.surroundings.directory, path)

    def _cannot_open(self, what: str, path: str, error: int) -> BadAnswer:
        text = (
            f"Failed to open {what} {path} when sending message from {self._options.name} transport: "
            f"{os.strerror(error)}"
        )
        return BadAnswer(text, error, is_permanent=False)

    def _stamp(self) -> str:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._now))
