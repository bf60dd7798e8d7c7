"""appendfile: into a mailbox on this machine (Exim chapter 26). Maildir so far.

The hot path of local delivery: everything that can be worked out at load is, a pure `directory` is one expansion, and the copy
is handed over in pieces. The file is not durable when `deliver` returns: the queue syncs many at once before the spool forgets them.

Not here yet, and said so at load: mbox (`file`), mailstore, MBX; as unknown options: quotas, `maildir_tag`, `maildirsize`.
"""

from __future__ import annotations

from hashlib import blake2b

from pillarbox.config.declare import option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import Octal
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.headers import local_chunks
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.outcomes import defer_all, deferred, delivered, failed
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.transport import Transport, scope_of
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.reply import Reason
from pillarbox.ports.userfiles import DeliveryFailure, MaildirDelivery


class BadPath(Exception):
    """A directory that must not be delivered into. `str()` is for the log."""


LARGE = 256 * 1024
"""Bytes of a body that are no longer written in one go on the loop."""


class Appendfile(Transport, driver="appendfile"):
    """Write into Maildirs."""

    directory: Template | None = option(default=None, doc="The Maildir: an absolute path.")
    file: Template | None = option(default=None, doc="The mbox file (not supported yet).")
    maildir_format: bool = option(default=False, doc="The directory is a Maildir.")
    create_directory: bool = option(default=True, doc="Make the Maildir when it is missing.")
    mode: Octal = option(default=0o600, doc="Permissions of new files.")
    directory_mode: Octal = option(default=0o700, doc="Permissions of new directories.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.file is not None:
            raise OptionError("mbox delivery is not supported yet: use directory with maildir_format", "file")
        if self.directory is not None and not self.maildir_format:
            raise OptionError("only Maildirs are supported yet: set maildir_format", "directory")

    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        scope = scope_of(job, services)
        try:
            delivery = await self._prepare(job, scope, services)
        except (ExpansionDeferred, ExpansionFailed, BadPath) as error:
            return defer_all(job, Reason(str(error)), retry_keys=(f"T:{job.assignments[0].address}",))
        try:
            if job.message.body.size > LARGE:
                path = await services.user_files.deliver_large_maildir(delivery)
            else:
                path = services.user_files.deliver_maildir(delivery)
        except DeliveryFailure as failure:
            return [_refused(assignment, failure) for assignment in job.assignments]
        return [delivered(a, path=path, log_word=a.file) for a in job.assignments]

    async def _prepare(self, job: Job, scope: Scope, services: TransportServices) -> MaildirDelivery:
        """All that the delivery needs. Raises BadPath, ExpansionFailed, ExpansionDeferred."""
        first = job.assignments[0]
        now = services.clock.now()
        sender = await self.sender_of(job, scope)
        return MaildirDelivery(
            directory=await self._directory(first, scope),
            unique=unique_name(job.envelope.id, first.address),
            chunks=local_chunks(
                self.prefix_of(job, sender, now),
                b"" if self.body_only else await self.headers_of(job, scope),
                iter(()) if self.headers_only else job.message.body.chunks(),
            ),
            received_at=job.envelope.received_at,
            is_repeat=job.is_repeat,
            create=self.create_directory,
            mode=self.mode,
            directory_mode=self.directory_mode,
        )

    async def _directory(self, assignment: Assignment, scope: Scope) -> str:
        """Where to deliver. A local part or a domain from the envelope may choose a name in a directory, never a way out of it."""
        if self.directory is None:
            return _checked(assignment.file)
        if not self.directory.is_constant and (
            _can_climb(assignment.local_part or assignment.candidate.local_part)
            or _can_climb(assignment.domain)
        ):
            raise BadPath(f"address {assignment.address!r} is no name for a directory")
        if self.directory.is_pure:
            return _checked(self.directory.expand_now(scope))
        return _checked(await self.directory.expand(scope))


def unique_name(message_id: str, address: str) -> str:
    """`<id>-<hash of the address>`: the same for every attempt at this address. Time and host are added by the port (maildir(5))."""
    digest = blake2b(address.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{message_id}-{digest}"


def _can_climb(name: str) -> bool:
    return "/" in name or "\0" in name or name in (".", "..")


def _checked(path: str) -> str:
    if not path.startswith("/") or "\0" in path or path.endswith("/..") or "/../" in path:
        raise BadPath(f"{path!r} is not an absolute path of a directory")
    return path


def _refused(assignment: Assignment, failure: DeliveryFailure) -> Outcome:
    """The sender reads that the mailbox is full or not there, never a path of ours."""
    if failure.is_permanent:
        return failed(assignment, Reason(str(failure), "mailbox is not available"))
    words = "mailbox is full" if failure.error == "quota" else "mailbox is not available"
    key = f"T:{assignment.address}"
    return deferred(assignment, Reason(str(failure), words), error=failure.error, retry_keys=(key,))
