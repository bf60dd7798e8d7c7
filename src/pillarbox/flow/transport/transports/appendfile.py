"""appendfile: into a mailbox on this machine (Exim chapter 26): mbox, MBX, Maildir, mailstore, or a file for each message.

The hot path of local delivery: what can be worked out at load is, and the copy is handed over in pieces. A plain Maildir of our own is written
at once; everything else goes, with the recipient's rights, through `ports.localwork`. Nothing is durable when `deliver` returns: the
queue syncs many at once before the spool forgets them, and a repeat after a crash finds what the first attempt wrote.

Locks are never waited for where mailboxes are written: here the flow sleeps between two tries, so others' mail goes on meanwhile.

Known gaps: a body of no format's directory is not recognised after a crash; names that are not UTF-8.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from copy import copy
from hashlib import blake2b

import msgspec

from pillarbox.config.declare import derived, option
from pillarbox.config.errors import CombinationError, OptionError
from pillarbox.config.kinds import Duration, ExpandedBool, Octal
from pillarbox.flow.facets.delivering import DeliveryFacts
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.appending.limits import BadLimit, quota_of
from pillarbox.flow.transport.appending.place import BadName, BadPlace, Place, place_of
from pillarbox.flow.transport.appending.warning import warn_of_quota
from pillarbox.flow.transport.command_line import CommandError
from pillarbox.flow.transport.filtering import FilterFailed
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.outcomes import defer_all, deferred, delivered, failed
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.surroundings import Unfit
from pillarbox.flow.transport.transport import Prepared, Transport
from pillarbox.flow.transport.writing import frame_of, written
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import plain
from pillarbox.language.expand.template import Template
from pillarbox.language.match.items import split
from pillarbox.mail.message import Body, MemoryBody
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.reply import Reason
from pillarbox.ports.localwork import WorkRefused
from pillarbox.ports.userfiles import (
    DeliveryFailure,
    FileBusy,
    FileKind,
    FileResult,
    FileRules,
    FileWork,
    Locking,
    MaildirDelivery,
    NotWritten,
    OtherFormat,
    Written,
)

_MBOX_PREFIX = "From ${if def:return_path{$return_path}{MAILER-DAEMON}} ${tod_bsdinbox}\n"
_WARNING = (
    "To: $local_part@$domain\nSubject: Your mailbox\n\n"
    "This message is automatically created by mail delivery software (Exim).\n\n"
    "The size of your mailbox has exceeded a warning threshold that is\nset by the system administrator.\n"
)
LARGE = 256 * 1024
"""Bytes of a body that are no longer handled in one go."""
_POLL = 0.2
"""Seconds between two looks at a lock that is waited for with a timeout."""
_NOTHING = MemoryBody(b"")


class Appendfile(Transport, driver="appendfile"):
    """Write into mailboxes."""

    directory: Template | None = option(default=None, doc="The directory: an absolute path.")
    file: Template | None = option(default=None, doc="The mbox file.")
    maildir_format: bool = option(default=False, doc="The directory is a Maildir.")
    mailstore_format: bool = option(default=False, doc="The directory holds two files for each message.")
    mbx_format: bool = option(default=False, doc="The file is an MBX mailbox.")
    create_directory: bool = option(default=True, doc="Make directories that are missing.")
    mode: Octal = option(default=0o600, doc="Permissions of new files.")
    directory_mode: Octal = option(default=0o700, doc="Permissions of new directories.")
    allow_fifo: bool = option(default=False, doc="Deliver into named pipes too.")
    allow_symlink: bool = option(default=False, doc="Deliver to where a symbolic link leads.")
    batch_id: Template | None = option(
        default=None, doc="Only addresses for which this expands to the same share a delivery."
    )
    batch_max: int = option(default=1, doc="Addresses in one delivery.")
    check_group: bool = option(default=False, doc="An existing file must have the right group.")
    check_owner: bool = option(default=True, doc="An existing file must have the right owner.")
    check_string: str | None = option(
        default=None, doc="Lines that begin with this are escaped; unset: `From ` in files."
    )
    create_file: str = option(
        default="anywhere",
        doc="Where new files may be: anywhere, belowhome, inhome, or beneath a path.",
    )
    directory_file: Template | None = option(
        default="q${base62:$tod_epoch}-$inode",
        doc="Name of a message's file in a directory of no format.",
    )
    escape_string: str | None = option(
        default=None, doc="What takes the place of check_string; unset: `>From ` in files."
    )
    file_format: str | None = option(
        default=None, doc="Beginnings of mailboxes, and the transports that can write them."
    )
    file_must_exist: bool = option(default=False, doc="Fail when there is no such file.")
    lock_fcntl_timeout: Duration = option(
        default="0s", doc="Wait so long for a lock of fcntl; 0: try again after lock_interval."
    )
    lock_flock_timeout: Duration = option(default="0s", doc="Wait so long for a lock of flock, likewise.")
    lock_interval: Duration = option(default="3s", doc="Time between tries to lock.")
    lock_retries: int = option(default=10, doc="Tries to lock.")
    lockfile_mode: Octal = option(default=0o600, doc="Permissions of lock files.")
    lockfile_timeout: Duration = option(default="30m", doc="Remove a lock file that is older.")
    mailbox_filecount: Template | None = option(
        default=None, doc="Number of files that the mailbox has; unset: they are counted."
    )
    mailbox_size: Template | None = option(
        default=None, doc="Size that the mailbox has; unset: it is added up."
    )
    maildir_quota_directory_regex: str = option(
        default=r"^(?:cur|new|\..*)$", doc="Subdirectories that count for quotas."
    )
    maildir_retries: int = option(default=10, doc="Tries to make a name in a Maildir.")
    maildir_tag: Template | None = option(default=None, doc="Text behind the name of new files.")
    maildir_use_size_file: ExpandedBool = option(default=False, doc="Keep the Maildir's size in maildirsize.")
    maildirfolder_create_regex: str | None = option(
        default=None, doc="Make maildirfolder in directories whose path matches."
    )
    mailstore_prefix: Template | None = option(
        default=None, doc="Text in front of the envelope in mailstore."
    )
    mailstore_suffix: Template | None = option(default=None, doc="Text behind it.")
    message_prefix: Template | None = option(
        default=None,
        doc="Text in front of each message; unset: the `From ` line of mbox in files.",
    )
    message_suffix: Template | None = option(
        default=None, doc="Text behind each message; unset: an empty line in files."
    )
    mode_fail_narrower: bool = option(
        default=True, doc="Fail when an existing file has fewer permissions than mode."
    )
    notify_comsat: bool = option(default=False, doc="Tell comsat of new mail.")
    quota: Template | None = option(default=None, doc="Largest size of the mailbox.")
    quota_directory: Template | None = option(
        default=None, doc="Where to count; unset: the directory delivered into."
    )
    quota_filecount: Template | None = option(default=None, doc="Largest number of messages.")
    quota_is_inclusive: bool = option(default=True, doc="The message itself counts too.")
    quota_size_regex: str | None = option(
        default=None, doc="How to read a message's size off its file's name."
    )
    quota_warn_message: Template | None = option(default=None, doc="The message that warns of the threshold.")
    quota_warn_threshold: Template | None = option(
        default=None, doc="Warn when the mailbox has grown above this."
    )
    use_bsmtp: bool = option(default=False, doc="Write batch SMTP.")
    use_crlf: bool = option(default=False, doc="End lines with CRLF.")
    use_fcntl_lock: bool | None = option(default=None, doc="Lock with fcntl; unset: yes.")
    use_flock_lock: bool = option(default=False, doc="Lock with flock.")
    use_lockfile: bool | None = option(default=None, doc="Lock with a file; unset: yes, but not for MBX.")
    use_mbx_lock: bool | None = option(default=None, doc="Lock as MBX wants it; unset: for MBX.")

    rules: FileRules = derived(init=False)
    """What never changes, as the helper is told."""
    is_simple: bool = derived(init=False)
    """Nothing asks for more than a plain Maildir."""
    counts: bool = derived(init=False)
    """Sizes are to be looked at."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_formats()
        self._check_locks()
        if not (self.create_file in ("anywhere", "belowhome", "inhome") or self.create_file.startswith("/")):
            reason = (
                f"invalid value given for \"create_file\" for the {self.name} transport: '{self.create_file}'"
            )
            raise CombinationError(reason)
        is_file = self.directory is None and not (self.maildir_format or self.mailstore_format)
        self._fill(
            message_prefix=_MBOX_PREFIX if is_file and not self.use_bsmtp else "",
            message_suffix="\n" if is_file and not self.use_bsmtp else "",
            check_string="." if self.use_bsmtp else "From " if is_file else "",
            escape_string=".." if self.use_bsmtp else ">From " if is_file else "",
        )
        if self.quota_warn_threshold is not None:
            self._fill(quota_warn_message=_WARNING)
        put = object.__setattr__
        put(self, "rules", self._rules())
        put(self, "counts", self._does_count())
        put(self, "is_simple", self.maildir_format and self._asks_no_more())

    def _does_count(self) -> bool:
        asked = (self.quota, self.quota_filecount, self.quota_warn_threshold)
        return bool(self.maildir_use_size_file) or any(each is not None for each in asked)

    def _asks_no_more(self) -> bool:
        texts = (self.message_prefix, self.message_suffix)
        return not (
            self._does_count()
            or self.maildir_tag is not None
            or self.maildirfolder_create_regex
            or self.create_file != "anywhere"
            or self.use_bsmtp
            or self.use_crlf
            or self.check_string
            or self.filter_line is not None
            or self.body_only
            or any(each is not None and each.source for each in texts)
        )

    def _rules(self) -> FileRules:
        return FileRules(
            mode=self.mode,
            directory_mode=self.directory_mode,
            fails_when_narrower=self.mode_fail_narrower,
            creates_directory=self.create_directory,
            must_exist=self.file_must_exist,
            checks_owner=self.check_owner,
            checks_group=self.check_group,
            allows_symlink=self.allow_symlink,
            allows_fifo=self.allow_fifo,
            formats=self._formats(),
            locking=Locking(
                with_lockfile=bool(self.use_lockfile),
                with_fcntl=bool(self.use_fcntl_lock),
                with_flock=self.use_flock_lock,
                as_mbx=self._locks_as_mbx(),
                lockfile_mode=self.lockfile_mode,
                lockfile_timeout=self.lockfile_timeout,
            ),
            size_regex=self.quota_size_regex or "",
            directory_regex=self.maildir_quota_directory_regex,
            folder_regex=self.maildirfolder_create_regex or "",
        )

    def _locks_as_mbx(self) -> bool:
        if "use_mbx_lock" in self.given:
            return bool(self.use_mbx_lock)
        return self.mbx_format and not {"use_fcntl_lock", "use_flock_lock", "use_lockfile"} & set(self.given)

    def _formats(self) -> tuple[tuple[bytes, str], ...]:
        if not self.file_format:
            return ()
        items = [item for item, _ in split(self.file_format)]
        marks = [mark.encode("utf-8", "surrogateescape") for mark in items[::2]]
        transports = ["" if name == self.name else name for name in items[1::2]]
        return tuple(zip(marks, transports, strict=False))

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

    @property
    def addresses_per_job(self) -> int:
        return max(1, self.batch_max)

    @property
    def batching(self) -> Template | None:
        return self.batch_id

    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        first = job.assignments[0]
        key = self.retry_key_of(first)
        try:
            prepared = await self.prepare(job, services)
            place = await place_of(self, first, prepared.scope, prepared.surroundings.home)
            if self.is_simple and place.is_directory and prepared.surroundings.actor is None:
                return await self._deliver_own(job, prepared, place, services)
            result = await self._deliver(job, prepared, place, services)
        except (ExpansionDeferred, BadName, Unfit) as error:
            return defer_all(job, Reason(str(error)), retry_keys=(key,))
        except (ExpansionFailed, BadPlace, BadLimit, CommandError) as error:
            reason = Reason(str(error))
            return [deferred(a, reason, retry_keys=(key,), is_panic=True) for a in job.assignments]
        except (WorkRefused, FilterFailed) as error:
            return defer_all(job, Reason(str(error), "mailbox is not available"), retry_keys=(key,))
        if isinstance(result, OtherFormat):
            return await self._pass_on(job, result.transport, services)
        return [self._outcome(each, result, place) for each in job.assignments]

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
        return [delivered(a, path=path, log_word=place.path if a.file else "") for a in job.assignments]

    async def _deliver(
        self, job: Job, prepared: Prepared, place: Place, services: TransportServices
    ) -> FileResult:
        """Raises what `deliver` knows."""
        scope = prepared.scope
        work = await self._work(job, prepared, place, services)
        work, body = await self._content(work, job, prepared, services)
        if work.kind == "maildir" and self.maildir_tag is not None:
            size = len(work.head) + body.size + len(work.tail)
            work = msgspec.structs.replace(work, tag=await self._tag(scope, size))
        result = await self._write(work, body, prepared, services)
        if work.kind == "single" and isinstance(result, Written):
            result = await self._name_file(work, result, prepared, services)
        if isinstance(result, Written) and work.quota is not None and self.quota_warn_message is not None:
            limit, before = work.quota.warn_size, result.size_before
            if limit > 0 and 0 <= before <= limit < before + work.message_size:
                await warn_of_quota(self.quota_warn_message, job, scope, services)
        return result

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
            proof=_first_field(job.message.headers) if job.is_repeat else b"",
            unique=unique_name(job.envelope.id, first.address),
            host=services.hostname,
            received_at=job.envelope.received_at,
            is_repeat=job.is_repeat,
            create_below=place.create_below,
            create_strictly=place.create_strictly,
            forced_mode=first.mode if first.mode is not None else -1,
            quota=quota,
            message_size=job.message.size,
            directory=prepared.surroundings.directory,
            comsat_user=plain(first.local_part) if self.notify_comsat else "",
        )

    def _kind(self, place: Place) -> FileKind:
        if not place.is_directory:
            return "mbx" if self.mbx_format else "mbox"
        if self.maildir_format:
            return "maildir"
        return "mailstore" if self.mailstore_format else "single"

    async def _content(
        self, work: FileWork, job: Job, prepared: Prepared, services: TransportServices
    ) -> tuple[FileWork, Body]:
        """The work with what stands around the body, and the body; where it need not change, the message's own."""
        leaving = await self.copy_of(job, prepared, services)
        recipients = self.addresses_of(job)
        frame = await frame_of(self, prepared.scope, prepared.sender, recipients)
        put = msgspec.structs.replace
        if work.kind == "mailstore":
            whole = [
                f"{a.file}@{a.domain}" if a.file else r
                for a, r in zip(job.assignments, recipients, strict=True)
            ]
            envelope = await self._envelope(job, prepared, work.unique, tuple(whole))
            work = put(work, envelope=envelope)
        body = job.message.body
        if leaving.is_filtered:
            leaving = put(leaving, body=tuple(leaving.body))
        if body.size <= LARGE:
            return work, MemoryBody(b"".join(written(leaving, frame, self)))
        is_plain = not (self.check_string or self.use_crlf or self.use_bsmtp or leaving.is_filtered)
        if is_plain and leaving.has_headers and not self.headers_only:
            return put(work, head=frame.before + leaving.headers + b"\n", tail=frame.after), body

        def pieces() -> Iterable[bytes]:
            fresh = leaving if leaving.is_filtered or self.headers_only else put(leaving, body=body.chunks())
            return written(fresh, frame, self)

        return work, _Written(pieces)

    async def _keeps_size_file(self, scope: Scope) -> bool:
        wish = self.maildir_use_size_file
        if isinstance(wish, Template):
            return (await wish.expand(scope)).strip().lower() in ("yes", "true", "1")
        return wish

    async def _tag(self, scope: Scope, size: int) -> str:
        """`maildir_tag`, with `$message_size` what is written. Raises ExpansionFailed, ExpansionDeferred."""
        assert self.maildir_tag is not None
        facts = scope.facet(MessageFacts)
        if facts is not None:
            facts = copy(facts)
            facts.size = size
            scope = scope.with_facets({MessageFacts: facts})
        try:
            text = await self.maildir_tag.expand(scope)
        except ForcedFailure:
            return ""
        except ExpansionFailed as error:
            source = self.maildir_tag.source
            reason = f'Expansion of "{source}" (maildir_tag for {self.name} transport) failed: {error}'
            raise BadPlace(reason) from None
        tag = "".join(c for c in plain(text) if c.isprintable() and c.isascii() and c not in "/ ")
        return f":{tag}" if tag[:1].isalnum() else tag

    async def _envelope(
        self, job: Job, prepared: Prepared, basename: str, recipients: tuple[str, ...]
    ) -> bytes:
        """Content of mailstore's .env (Exim 26.8)."""
        facts = prepared.scope.facet(DeliveryFacts) or DeliveryFacts()
        scope = prepared.scope.with_facets(
            {DeliveryFacts: msgspec.structs.replace(facts, mailstore_basename=basename)}
        )
        before = await self._line(self.mailstore_prefix, "prefix", scope)
        after = await self._line(self.mailstore_suffix, "suffix", scope)
        lines = "".join(f"{one}\n" for one in (prepared.sender or "", *recipients))
        return f"{before}{lines}{after}".encode("utf-8", "surrogateescape")

    async def _line(self, template: Template | None, what: str, scope: Scope) -> str:
        if template is None:
            return ""
        try:
            text = await template.expand(scope)
        except ForcedFailure:
            return ""
        except ExpansionFailed as error:
            reason = f'Expansion of "{template.source}" (mailstore {what} for {self.name} transport) failed: {error}'
            raise BadPlace(reason) from None
        return text if text.endswith("\n") else f"{text}\n"

    async def _write(
        self, work: FileWork, body: Body, prepared: Prepared, services: TransportServices
    ) -> FileResult:
        """With the patience that the locking options ask for."""
        actor = prepared.surroundings.actor
        result = await services.local_work.deliver(work, body, actor)
        if not isinstance(result, FileBusy):
            return result
        async for _ in self._tries(result, services):
            result = await services.local_work.deliver(work, body, actor)
            if not isinstance(result, FileBusy):
                return result
        return NotWritten(result.text, error="lock") if isinstance(result, FileBusy) else result

    async def _tries(self, busy: FileBusy, services: TransportServices) -> AsyncIterator[None]:
        """After each wait: `lock_retries` tries in all, or as many looks as fit into the same time."""
        tries = max(1, self.lock_retries)
        timeout = {"fcntl": self.lock_fcntl_timeout, "flock": self.lock_flock_timeout}.get(busy.by, 0.0)
        if timeout > 0:
            whole = math.ceil(tries * self.lock_interval / timeout) * timeout
            tries, interval = max(1, int(whole / _POLL)) + 1, _POLL
        else:
            interval = self.lock_interval
        for _ in range(tries - 1):
            await services.clock.sleep(interval)
            yield

    async def _name_file(
        self, work: FileWork, done: Written, prepared: Prepared, services: TransportServices
    ) -> FileResult:
        """A file of no format gets its name when its inode is known."""
        facts = prepared.scope.facet(DeliveryFacts) or DeliveryFacts()
        scope = prepared.scope.with_facets({DeliveryFacts: msgspec.structs.replace(facts, inode=done.inode)})
        name, why = "", ""
        try:
            name = plain(await self.directory_file.expand(scope)) if self.directory_file else ""
        except (ExpansionFailed, ExpansionDeferred) as error:
            why = str(error)
        is_good = bool(name) and "/" not in name and "\0" not in name and name not in (".", "..")
        step = msgspec.structs.replace(work, kind="rename" if is_good else "remove", name=name, quota=None)
        result = await services.local_work.deliver(step, _NOTHING, prepared.surroundings.actor)
        if is_good:
            if isinstance(result, Written):
                return msgspec.structs.replace(result, size_before=done.size_before, size=done.size)
            return result
        source = self.directory_file.source if self.directory_file else ""
        text = f'Expansion of "{source}" (directory_file for {self.name} transport) failed: {why}'
        return NotWritten(text, is_panic=True)

    async def _pass_on(self, job: Job, name: str, services: TransportServices) -> list[Outcome]:
        """`file_format` names the transport that can write this mailbox."""
        other = services.transports.get(name)
        marks = [mark for mark, transport in self.rules.formats if transport == name]
        mark = marks[0].decode("utf-8", "surrogateescape") if marks else ""
        if not isinstance(other, Transport):
            return defer_all(
                job,
                Reason(f"{name} transport (for {mark} format) not found"),
                retry_keys=(self.retry_key_of(job.assignments[0]),),
            )
        assignments = tuple(msgspec.structs.replace(a, transport=name) for a in job.assignments)
        return await other.deliver(msgspec.structs.replace(job, assignments=assignments), services)

    def _outcome(self, assignment: Assignment, result: FileResult, place: Place | None = None) -> Outcome:
        if isinstance(result, Written):
            word = place.path if place is not None and assignment.file else ""
            return delivered(assignment, path=result.path, log_word=word)
        assert isinstance(result, NotWritten)
        if result.is_permanent:
            return failed(assignment, Reason(result.text, "mailbox is not available"))
        return deferred(
            assignment,
            Reason(result.text, "mailbox is full" if result.error == "quota" else "mailbox is not available"),
            error=result.error,
            retry_keys=(self.retry_key_of(assignment),),
            is_frozen=result.is_frozen,
            is_panic=result.is_panic,
        )

    def _refused(self, assignment: Assignment, failure: DeliveryFailure) -> Outcome:
        """The sender reads that the mailbox is full or not there, never a path of ours."""
        return self._outcome(
            assignment, NotWritten(str(failure), error=failure.error, is_permanent=failure.is_permanent)
        )


class _Written:
    """A large body as it is written, made anew each time that it is read."""

    __slots__ = ("_pieces", "lines", "size")

    def __init__(self, pieces: Callable[[], Iterable[bytes]]) -> None:
        self._pieces = pieces
        self.size = self.lines = 0
        for piece in pieces():
            self.size += len(piece)
            self.lines += piece.count(b"\n")

    def chunks(self) -> Iterator[bytes]:
        return iter(self._pieces())


def unique_name(message_id: str, address: str) -> str:
    """`<id>-<hash of the address>`: the same for every attempt at this address. Time and host are added by the port (maildir(5))."""
    digest = blake2b(address.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{message_id}-{digest}"


def _first_field(block: bytes) -> bytes:
    """The Received: that we put there: no other message has it."""
    end = block.find(b"\n")
    while 0 <= end < len(block) - 1 and block[end + 1 : end + 2] in (b" ", b"\t"):
        end = block.find(b"\n", end + 1)
    return block[: end + 1]
