"""What is written into a mailbox: the copy with what stands around it, and mailstore's envelope (Exim 26.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from pillarbox.flow.facets.delivering import DeliveryFacts
from pillarbox.flow.transport.appending.options import MailboxOptions
from pillarbox.flow.transport.appending.place import BadPlace
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.transport import Prepared
from pillarbox.flow.transport.writing import frame_of, written
from pillarbox.language.expand.errors import ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.message import Body, MemoryBody
from pillarbox.ports.userfiles import FileWork

LARGE = 256 * 1024
"""Bytes of a body that are no longer handled in one go."""


async def fill(
    options: MailboxOptions, work: FileWork, job: Job, prepared: Prepared, services: TransportServices
) -> tuple[FileWork, Body]:
    """The work with what stands around the body, and the body; where it need not change, the message's own."""
    leaving = await options.copy_of(job, prepared, services)
    recipients = options.addresses_of(job)
    frame = await frame_of(options, prepared.scope, prepared.sender, recipients)
    put = msgspec.structs.replace
    ends_in_crlf = options.use_crlf or work.kind == "mbx"
    if ends_in_crlf and work.proof:
        work = put(work, proof=work.proof.replace(b"\n", b"\r\n"))
    if work.kind == "mailstore":
        whole = [
            f"{a.file}@{a.domain}" if a.file else r for a, r in zip(job.assignments, recipients, strict=True)
        ]
        envelope = await _envelope(options, job, prepared, work.unique, tuple(whole))
        work = put(work, envelope=envelope)
    body = job.message.body
    if leaving.is_filtered:
        leaving = put(leaving, body=tuple(leaving.body))
    if body.size <= LARGE:
        return work, MemoryBody(b"".join(written(leaving, frame, options, ends_in_crlf=ends_in_crlf)))
    is_plain = not (options.check_string or ends_in_crlf or options.use_bsmtp or leaving.is_filtered)
    if is_plain and leaving.has_headers and not options.headers_only:
        return put(work, head=frame.before + leaving.headers + b"\n", tail=frame.after), body

    def pieces() -> Iterable[bytes]:
        fresh = leaving if leaving.is_filtered or options.headers_only else put(leaving, body=body.chunks())
        return written(fresh, frame, options, ends_in_crlf=ends_in_crlf)

    return work, _Written(pieces)


async def _envelope(
    options: MailboxOptions, job: Job, prepared: Prepared, basename: str, recipients: tuple[str, ...]
) -> bytes:
    """Content of mailstore's .env (Exim 26.8)."""
    facts = prepared.scope.facet(DeliveryFacts) or DeliveryFacts()
    scope = prepared.scope.with_facets(
        {DeliveryFacts: msgspec.structs.replace(facts, mailstore_basename=basename)}
    )
    before = await _line(options.mailstore_prefix, "prefix", options.name, scope)
    after = await _line(options.mailstore_suffix, "suffix", options.name, scope)
    lines = "".join(f"{one}\n" for one in (prepared.sender or "", *recipients))
    return f"{before}{lines}{after}".encode("utf-8", "surrogateescape")


async def _line(template: Template | None, what: str, name: str, scope: Scope) -> str:
    if template is None:
        return ""
    try:
        text = await template.expand(scope)
    except ForcedFailure:
        return ""
    except ExpansionFailed as error:
        reason = f'Expansion of "{template.source}" (mailstore {what} for {name} transport) failed: {error}'
        raise BadPlace(reason) from None
    return text if text.endswith("\n") else f"{text}\n"


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
