"""appendfile: into a mailbox on this machine (Exim chapter 26): mbox, MBX, Maildir, mailstore, or a file for each message.

The hot path of local delivery: what can be worked out at load is, and the copy is handed over in pieces. A plain Maildir of our own is written
at once; everything else goes, with the recipient's rights, through `ports.localwork`. Nothing is durable when `deliver` returns: the
queue syncs many at once before the spool forgets them, and a repeat after a crash finds what the first attempt wrote.

Locks are never waited for where mailboxes are written: here the flow sleeps between two tries, so others' mail goes on meanwhile.

Known gaps: a body of no format's directory is not recognised after a crash; names that are not UTF-8.
"""

from __future__ import annotations

import msgspec

from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.appending.content import LARGE, fill
from pillarbox.flow.transport.appending.limits import BadLimit, quota_of
from pillarbox.flow.transport.appending.naming import name_file, tag_of, unique_name
from pillarbox.flow.transport.appending.options import MailboxOptions
from pillarbox.flow.transport.appending.patience import write
from pillarbox.flow.transport.appending.place import BadName, BadPlace, Place, place_of
from pillarbox.flow.transport.appending.warning import warn_of_quota
from pillarbox.flow.transport.command_line import CommandError
from pillarbox.flow.transport.filtering import FilterFailed
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.outcomes import caseful_word, defer_all, deferred, delivered, failed
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.surroundings import Unfit
from pillarbox.flow.transport.transport import HeadersFailed, Prepared, Transport
from pillarbox.flow.transport.writing import FrameFailed
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import plain
from pillarbox.language.expand.template import Template
from pillarbox.mail.message import MemoryBody
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.reply import Reason
from pillarbox.ports.localwork import WorkRefused
from pillarbox.ports.userfiles import (
    DeliveryFailure,
    FileKind,
    FileResult,
    FileWork,
    MaildirDelivery,
    NotWritten,
    OtherFormat,
    Written,
)
from pillarbox.wire.exim.error_numbers import NOT_ABSOLUTE, unnamed


class Appendfile(MailboxOptions, driver="appendfile"):
    """Write into mailboxes."""

    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        first = job.assignments[0]
        try:
            prepared = await self.prepare(job, services)
            place = await place_of(self, first, prepared.scope, prepared.surroundings.home)
            if self.is_simple and place.is_directory and prepared.surroundings.actor is None:
                return await self._deliver_own(job, prepared, place, services)
            result = await self._deliver(job, prepared, place, services)
        except BadName as error:
            return defer_all(job, Reason(str(error)), key_of=self.retry_key_of, error=unnamed(NOT_ABSOLUTE))
        except (FrameFailed, Unfit) as error:
            return defer_all(job, Reason(str(error)), key_of=self.retry_key_of, error=unnamed(error.number))
        except ExpansionDeferred as error:
            return defer_all(job, Reason(str(error)))
        except HeadersFailed as error:
            what = "failed to expand headers_add or headers_remove"
            return defer_all(job, Reason(f"{what} while writing to {place.path}: {error.why}"), is_panic=True)
        except (ExpansionFailed, BadPlace, BadLimit) as error:  # no hint: an administrator mends it, not time
            return defer_all(job, Reason(str(error)), is_panic=True)
        except CommandError as error:
            return defer_all(job, Reason(str(error)), is_panic=True)
        except FilterFailed as error:
            if not error.is_panic:
                return defer_all(job, Reason(str(error)), key_of=self.retry_key_of)
            return defer_all(job, Reason(error.while_writing_to(place.path)), is_panic=True)
        except WorkRefused as error:
            return defer_all(job, Reason(str(error)), key_of=self.retry_key_of)
        if isinstance(result, OtherFormat):
            return await self._pass_on(job, result.transport, services)
        return [self._outcome(a, result, place, number > 0) for number, a in enumerate(job.assignments)]

    async def ask_room(self, job: Job, size: int, services: TransportServices) -> FileResult | None:
        """Whether a message of that size (bytes) would fit; None: there is no quota. Raises what `deliver` knows."""
        if not self.counts:
            return None
        prepared = await self.prepare(job, services)
        place = await place_of(self, job.assignments[0], prepared.scope, prepared.surroundings.home)
        work = await self._work(job, prepared, place, services)
        work = msgspec.structs.replace(work, is_question=True, message_size=size)
        return await write(self, work, MemoryBody(b""), prepared, services)

    async def _deliver_own(
        self, job: Job, prepared: Prepared, place: Place, services: TransportServices
    ) -> list[Outcome]:
        """A plain Maildir as ourselves: the shortest way."""
        leaving = await self.copy_of(job, prepared, services)
        delivery = MaildirDelivery(
            directory=place.path.rstrip("/"),
            unique=unique_name(job.envelope.id, job.assignments[0].address),
            chunks=leaving.pieces(),
            received_at=job.envelope.received_at,
            is_repeat=job.is_repeat,
            create=self.create_directory,
            mode=self.mode,
            directory_mode=self.directory_mode,
        )
        try:
            if job.message.body.size > LARGE:
                path = await services.user_files.deliver_large_maildir(delivery)
            else:
                path = services.user_files.deliver_maildir(delivery)
        except DeliveryFailure as failure:
            return [self._refused(assignment, failure) for assignment in job.assignments]
        size = leaving.known_size(job.message.body.size)
        return [delivered(a, path=path, log_word=_word_of(a, place), size=size) for a in job.assignments]

    async def _deliver(
        self, job: Job, prepared: Prepared, place: Place, services: TransportServices
    ) -> FileResult:
        """Raises what `deliver` knows."""
        scope = prepared.scope
        work = await self._work(job, prepared, place, services)
        try:
            work, body = await fill(self, work, job, prepared, services)
        except (FrameFailed, HeadersFailed, FilterFailed):
            if work.kind == "mbox" and (refusal := await self._refusal(work, prepared, services)):
                return refusal
            raise
        if work.kind == "maildir" and self.maildir_tag is not None:
            size = len(work.head) + body.size + len(work.tail)
            work = msgspec.structs.replace(work, tag=await tag_of(self, scope, size))
        result = await write(self, work, body, prepared, services)
        if work.kind == "single" and isinstance(result, Written):
            result = await name_file(self, work, result, prepared, services)
        if isinstance(result, Written) and work.quota is not None and self.quota_warn_message is not None:
            limit, before = work.quota.warn_size, result.size_before
            if limit > 0 and 0 <= before <= limit < before + result.size:
                await warn_of_quota(self.quota_warn_message, job, scope, services)
        return result

    async def _refusal(
        self, work: FileWork, prepared: Prepared, services: TransportServices
    ) -> FileResult | None:
        """What the mailbox has against being written to, where nothing can be. Exim has it open by then, and made."""
        nothing = msgspec.structs.replace(work, comsat_user="")
        result = await write(self, nothing, MemoryBody(b""), prepared, services)
        return None if isinstance(result, Written) else result

    async def _work(
        self, job: Job, prepared: Prepared, place: Place, services: TransportServices
    ) -> FileWork:
        first = job.assignments[0]
        scope = prepared.scope
        quota = None
        if self.counts:
            keeps = place.is_directory and await self._keeps_size_file(scope)
            quota = await quota_of(self, scope, keeps_size_file=keeps)
        return FileWork(
            kind=self._kind(place),
            path=place.path,
            rules=self.rules,
            proof=_first_field(job.message.headers),
            unique=unique_name(job.envelope.id, first.address),
            host=services.hostname,
            received_at=job.envelope.received_at,
            is_repeat=job.is_repeat,
            create_below=place.create_below,
            create_strictly=place.create_strictly,
            forced_mode=first.mode if first.mode is not None else -1,
            quota=quota,
            message_size=job.message.size,
            directory=plain(prepared.surroundings.directory),
            comsat_user=plain(first.bare_local_part) if self.notify_comsat else "",
            is_shared=_is_one_of_many(job),
        )

    def _kind(self, place: Place) -> FileKind:
        if not place.is_directory:
            return "mbx" if self.mbx_format else "mbox"
        if self.maildir_format:
            return "maildir"
        return "mailstore" if self.mailstore_format else "single"

    async def _keeps_size_file(self, scope: Scope) -> bool:
        wish = self.maildir_use_size_file
        if isinstance(wish, Template):
            return (await wish.expand(scope)).strip().lower() in ("yes", "true", "1")
        return wish

    async def _pass_on(self, job: Job, name: str, services: TransportServices) -> list[Outcome]:
        """`file_format` names the transport that can write this mailbox."""
        other = services.transports.get(name)
        marks = [mark for mark, transport in self.rules.formats if transport == name]
        mark = marks[0].decode("utf-8", "surrogateescape") if marks else ""
        if not isinstance(other, Transport):
            return defer_all(
                job,
                Reason(f"{name} transport (for {mark} format) not found"),
                key_of=self.retry_key_of,
            )
        assignments = tuple(msgspec.structs.replace(a, transport=name) for a in job.assignments)
        return await other.deliver(msgspec.structs.replace(job, assignments=assignments), services)

    def _outcome(
        self,
        assignment: Assignment,
        result: FileResult,
        place: Place | None = None,
        is_additional: bool = False,
    ) -> Outcome:
        if isinstance(result, Written):
            word = _word_of(assignment, place)
            return delivered(
                assignment, path=result.path, log_word=word, is_additional=is_additional, size=result.size
            )
        assert isinstance(result, NotWritten)
        if result.is_permanent:
            return failed(assignment, Reason(result.text))
        return deferred(
            assignment,
            Reason(result.text, "mailbox is full" if result.error == "quota" else ""),
            error=result.error or unnamed(result.code),
            error_detail=str(result.unread_for) if result.unread_for else "",
            retry_keys=(self.retry_key_of(assignment),),
            is_frozen=result.is_frozen,
            is_panic=result.is_panic,
        )

    def _refused(self, assignment: Assignment, failure: DeliveryFailure) -> Outcome:
        """The sender reads that the mailbox is full or not there, never a path of ours."""
        return self._outcome(
            assignment, NotWritten(str(failure), error=failure.error, is_permanent=failure.is_permanent)
        )


def _word_of(assignment: Assignment, place: Place | None) -> str:
    """For the log: the file that redirection named; the local part without affixes; empty: as every local delivery."""
    if assignment.file:
        return place.path if place is not None else ""
    has_affix = assignment.local_part_prefix or assignment.local_part_suffix
    if has_affix:
        return assignment.bare_local_part if assignment.logs_as_local else ""
    return caseful_word(assignment)


def _is_one_of_many(job: Job) -> bool:
    recipients, first = job.envelope.recipients, job.assignments[0]
    return len(recipients) != 1 or first.address != recipients[0].address


def _first_field(block: bytes) -> bytes:
    """The Received: that we put there: no other message has it."""
    end = block.find(b"\n")
    while 0 <= end < len(block) - 1 and block[end + 1 : end + 2] in (b" ", b"\t"):
        end = block.find(b"\n", end + 1)
    return block[: end + 1]
