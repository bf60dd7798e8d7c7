"""appendfile: into a mailbox on this machine (Exim chapter 26). Maildir so far.

The hot path of local delivery: everything that can be worked out at load is, a pure `directory` is one expansion, and the copy
is handed over in pieces. The file is not durable when `deliver` returns: the queue syncs many at once before the spool forgets them.

Not here yet, and said so at load: mbox (`file`), mailstore, MBX, and what is declared `inert`: quotas, `maildir_tag`, `maildirsize`.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

from pillarbox.config.declare import Unready, option
from pillarbox.config.errors import CombinationError, OptionError
from pillarbox.config.kinds import Duration, ExpandedBool, Octal
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

_MBOX_PREFIX = "From ${if def:return_path{$return_path}{MAILER-DAEMON}} ${tod_bsdinbox}\n"
_WARNING = (
    "To: $local_part@$domain\nSubject: Your mailbox\n\n"
    "This message is automatically created by mail delivery software (Exim).\n\n"
    "The size of your mailbox has exceeded a warning threshold that is\nset by the system administrator.\n"
)


class BadPath(Exception):
    """A directory that must not be delivered into. `str()` is for the log."""


LARGE = 256 * 1024
"""Bytes of a body that are no longer written in one go on the loop."""


class Appendfile(Transport, driver="appendfile"):
    """Write into Maildirs."""

    directory: Template | None = option(default=None, doc="The Maildir: an absolute path.")
    file: Template | None = option(default=None, doc="The mbox file.")
    maildir_format: bool = option(default=False, doc="The directory is a Maildir.")
    mailstore_format: bool = option(default=False, doc="The directory holds two files for each message.")
    mbx_format: bool = option(default=False, doc="The file is an MBX mailbox.")
    create_directory: bool = option(default=True, doc="Make the Maildir when it is missing.")
    mode: Octal = option(default=0o600, doc="Permissions of new files.")
    directory_mode: Octal = option(default=0o700, doc="Permissions of new directories.")
    allow_fifo: bool = option(default=False, doc="Deliver into named pipes too.", inert="noted")
    allow_symlink: bool = option(default=False, doc="Deliver to where a symbolic link leads.", inert="noted")
    batch_id: Template | None = option(
        default=None, doc="Only addresses for which this expands to the same share a delivery.", inert="noted"
    )
    batch_max: int = option(default=1, doc="Addresses in one delivery.", inert="noted")
    check_group: bool = option(
        default=False, doc="An existing file must have the right group.", inert="noted"
    )
    check_owner: bool = option(default=True, doc="An existing file must have the right owner.", inert="noted")
    check_string: str | None = option(
        default=None, doc="Lines that begin with this are escaped; unset: `From ` in files.", inert="noted"
    )
    create_file: str = option(
        default="anywhere",
        doc="Where new files may be: anywhere, belowhome, inhome, or beneath a path.",
        inert="noted",
    )
    directory_file: Template | None = option(
        default="q${base62:$tod_epoch}-$inode",
        doc="Name of a message's file in a directory of no format.",
        inert="noted",
    )
    escape_string: str | None = option(
        default=None, doc="What takes the place of check_string; unset: `>From ` in files.", inert="noted"
    )
    file_format: str | None = option(
        default=None, doc="Beginnings of mailboxes, and the transports that can write them.", inert="noted"
    )
    file_must_exist: bool = option(default=False, doc="Fail when there is no such file.", inert="refused")
    lock_fcntl_timeout: Duration = option(
        default="0s", doc="Wait so long for a lock of fcntl; 0: try again after lock_interval.", inert="noted"
    )
    lock_flock_timeout: Duration = option(
        default="0s", doc="Wait so long for a lock of flock, likewise.", inert="noted"
    )
    lock_interval: Duration = option(default="3s", doc="Time between tries to lock.", inert="noted")
    lock_retries: int = option(default=10, doc="Tries to lock.", inert="noted")
    lockfile_mode: Octal = option(default=0o600, doc="Permissions of lock files.", inert="noted")
    lockfile_timeout: Duration = option(default="30m", doc="Remove a lock file that is older.", inert="noted")
    mailbox_filecount: Template | None = option(
        default=None, doc="Number of files that the mailbox has; unset: they are counted.", inert="refused"
    )
    mailbox_size: Template | None = option(
        default=None, doc="Size that the mailbox has; unset: it is added up.", inert="refused"
    )
    maildir_quota_directory_regex: str = option(
        default=r"^(?:cur|new|\..*)$", doc="Subdirectories that count for quotas.", inert="noted"
    )
    maildir_retries: int = option(default=10, doc="Tries to make a name in a Maildir.", inert="noted")
    maildir_tag: Template | None = option(
        default=None, doc="Text behind the name of new files.", inert="refused"
    )
    maildir_use_size_file: ExpandedBool = option(
        default=False, doc="Keep the Maildir's size in maildirsize.", inert="noted"
    )
    maildirfolder_create_regex: str | None = option(
        default=None, doc="Make maildirfolder in directories whose path matches.", inert="noted"
    )
    mailstore_prefix: Template | None = option(
        default=None, doc="Text in front of the envelope in mailstore.", inert="noted"
    )
    mailstore_suffix: Template | None = option(default=None, doc="Text behind it.", inert="noted")
    message_prefix: Template | None = option(
        default=None,
        doc="Text in front of each message; unset: the `From ` line of mbox in files.",
        inert="noted",
    )
    message_suffix: Template | None = option(
        default=None, doc="Text behind each message; unset: an empty line in files.", inert="noted"
    )
    mode_fail_narrower: bool = option(
        default=True, doc="Fail when an existing file has fewer permissions than mode.", inert="noted"
    )
    notify_comsat: bool = option(default=False, doc="Tell comsat of new mail.", inert="noted")
    quota: Template | None = option(default=None, doc="Largest size of the mailbox.", inert="refused")
    quota_directory: Template | None = option(
        default=None, doc="Where to count; unset: the directory delivered into.", inert="refused"
    )
    quota_filecount: Template | None = option(
        default=None, doc="Largest number of messages.", inert="refused"
    )
    quota_is_inclusive: bool = option(default=True, doc="The message itself counts too.", inert="refused")
    quota_size_regex: str | None = option(
        default=None, doc="How to read a message's size off its file's name.", inert="refused"
    )
    quota_warn_message: Template | None = option(
        default=None, doc="The message that warns of the threshold.", inert="refused"
    )
    quota_warn_threshold: Template | None = option(
        default=None, doc="Warn when the mailbox has grown above this.", inert="refused"
    )
    use_bsmtp: bool = option(default=False, doc="Write batch SMTP.", inert="noted")
    use_crlf: bool = option(default=False, doc="End lines with CRLF.", inert="noted")
    use_fcntl_lock: bool | None = option(default=None, doc="Lock with fcntl; unset: yes.", inert="noted")
    use_flock_lock: bool = option(default=False, doc="Lock with flock.", inert="noted")
    use_lockfile: bool | None = option(
        default=None, doc="Lock with a file; unset: yes, but not for MBX.", inert="noted"
    )
    use_mbx_lock: bool | None = option(
        default=None, doc="Lock as MBX wants it; unset: for MBX.", inert="noted"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_formats()
        self._check_locks()
        if not (self.create_file in ("anywhere", "belowhome", "inhome") or self.create_file.startswith("/")):
            reason = (
                f"invalid value given for \"create_file\" for the {self.name} transport: '{self.create_file}'"
            )
            raise CombinationError(reason)
        is_file = self.directory is None
        self._fill(
            message_prefix=_MBOX_PREFIX if is_file and not self.use_bsmtp else "",
            message_suffix="\n" if is_file and not self.use_bsmtp else "",
            check_string="." if self.use_bsmtp else "From " if is_file else "",
            escape_string=".." if self.use_bsmtp else ">From " if is_file else "",
        )
        if self.quota_warn_threshold is not None:
            self._fill(quota_warn_message=_WARNING)

    def _check_formats(self) -> None:
        if self.file is not None and self.directory is not None:
            raise OptionError('only one of "file" or "directory" can be specified', "file")
        if self.maildir_format and self.mailstore_format:
            raise OptionError("only one of maildir and mailstore may be specified", "maildir_format")
        for field in ("quota_directory", "quota_filecount"):
            if getattr(self, field) is not None and self.directory is None:
                raise OptionError(f'{field} must not be set without "directory"', field)

    def _check_locks(self) -> None:
        put = object.__setattr__
        if self.use_fcntl_lock is None:
            put(self, "use_fcntl_lock", True)
        if self.use_lockfile is None:
            put(self, "use_lockfile", not self.mbx_format)
        if self.use_mbx_lock is None:
            put(self, "use_mbx_lock", self.mbx_format)
        has_lock = self.use_fcntl_lock or self.use_lockfile or self.use_flock_lock or self.use_mbx_lock
        if self.file is not None and not has_lock:
            raise OptionError("no locking configured", "use_lockfile")

    def _fill(self, **texts: str) -> None:
        """Defaults that depend on other settings."""
        for field, text in texts.items():
            if getattr(self, field) is None:
                is_plain = field in ("check_string", "escape_string")
                object.__setattr__(self, field, text if is_plain else Template.parse(text))

    def unready(self) -> Iterator[Unready]:
        yield from super().unready()
        for field in ("file", "mailstore_format", "mbx_format", "use_bsmtp", "use_crlf"):
            if getattr(self, field):
                yield Unready(field, "only Maildirs are supported yet")
        if self.directory is not None and not self.maildir_format:
            yield Unready("directory", "only Maildirs are supported yet: set maildir_format")

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
