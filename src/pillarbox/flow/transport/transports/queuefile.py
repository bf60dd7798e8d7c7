"""queuefile: copy the spool files of a message elsewhere, for another queue or an archive (Exim's experiment, in few programs).

`ID-D` comes before `ID-H`, each under a temporary name first, as in the spool: whoever looks sees both whole, or no message.
"""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.config.errors import CombinationError
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.outcomes import defer_all, delivered
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.surroundings import Unfit
from pillarbox.flow.transport.transport import Prepared, Transport
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.taint import is_tainted, plain
from pillarbox.language.expand.template import Template
from pillarbox.mail.message import Body, MemoryBody, count_zeros
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.progress import Progress
from pillarbox.mail.reply import Reason
from pillarbox.ports.localwork import WorkRefused
from pillarbox.ports.userfiles import FileRules, FileWork, NotWritten, Written
from pillarbox.wire.exim.spool_header import Owner, SpoolHeader, encode_header

_MODE = 0o640


class BadPlace(Exception):
    """The files cannot be written. `str()` is for the log."""


class QueueFile(Transport, driver="queuefile"):
    """Copy the message as it lies in the queue."""

    directory: Template | None = option(default=None, doc="Where to: an absolute path.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.directory is None:
            raise CombinationError(f"directory must be set for the {self.name} transport")

    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        try:
            prepared = await self.prepare(job, services)
            directory = await self._directory(prepared)
            await self._copy(job, directory, prepared, services)
        except (BadPlace, ExpansionDeferred, ExpansionFailed, Unfit, WorkRefused) as error:
            return defer_all(job, Reason(str(error)), key_of=self.retry_key_of)
        return [delivered(a, log_word=a.bare_local_part) for a in job.assignments]

    async def _directory(self, prepared: Prepared) -> str:
        assert self.directory is not None
        path = await self.directory.expand(prepared.scope)
        if is_tainted(path):
            raise BadPlace(
                f"Tainted '{path}' (file or directory name for {self.name} transport) not permitted"
            )
        if not path.startswith("/"):
            raise BadPlace(f"{self.name} transport: bad directory {path!r}: an absolute path is needed")
        return plain(path)

    async def _copy(self, job: Job, directory: str, prepared: Prepared, services: TransportServices) -> None:
        """Raises BadPlace, WorkRefused."""
        message_id, actor = job.envelope.id, prepared.surroundings.actor
        spooled = SpoolHeader(
            envelope=job.envelope,
            progress=Progress(),
            headers=job.message.headers,
            body_lines=job.message.body.lines,
            body_zeros=count_zeros(job.message.body),
        )
        owner = Owner(services.login or "mail", actor.uid if actor else 0, actor.gid if actor else 0)
        first_line = f"{message_id}-D\n".encode()
        files: tuple[tuple[str, bytes, Body], ...] = (
            ("-D", first_line, job.message.body),
            ("-H", encode_header(spooled, owner), MemoryBody(b"")),
        )
        for suffix, head, body in files:
            name = f"{message_id}{suffix}"
            rules = FileRules(mode=_MODE, creates_directory=False)
            work = FileWork(kind="single", path=directory, rules=rules, head=head, unique=name)
            renaming = FileWork(kind="rename", path=directory, rules=rules, unique=name, name=name)
            for step, content in ((work, body), (renaming, MemoryBody(b""))):
                result = await services.local_work.deliver(step, content, actor)
                if not isinstance(result, Written):
                    told = result.text if isinstance(result, NotWritten) else f"{directory}/{name} is busy"
                    raise BadPlace(told)
