"""`transport_filter`: the copy goes through a command on its way (Exim 24).

The command reads the whole copy and writes another, before the transport does anything with it: what it writes is complete, or nothing is
delivered (Exim has the delivery begun by then). Its environment is empty, and it runs as whom the delivery runs as.

Known gap: what it writes is kept in memory, so it is bounded by the size of what it reads.
"""

from __future__ import annotations

from collections.abc import Sequence

from pillarbox.flow.transport.command_line import CommandError, CommandLine
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.surroundings import Surroundings
from pillarbox.flow.transport.writing import Copy
from pillarbox.language.expand.scope import Scope
from pillarbox.ports.localwork import CommandEnd, CommandWork, WorkRefused

WHO = "transport filter"
GROWTH = 4
"""It may write so many times what it reads, and a megabyte."""
_UMASK = 0o077
_NOT_RUN = 127
"""As a shell would end."""
_UNABLE = ": unable to execute command"


class FilterFailed(Exception):
    """`str()` is for the log."""

    def __init__(
        self, text: str, *, is_permanent: bool = False, is_timed_out: bool = False, is_panic: bool = False
    ) -> None:
        """`is_panic`: an administrator must mend it, and no retry time counts for it. `is_permanent`: it could not even be run."""
        super().__init__(text)
        self.is_panic = is_panic
        self.is_permanent = is_permanent
        self.is_timed_out = is_timed_out

    def while_writing_to(self, path: str) -> str:
        """As the log has it for a file."""
        text = str(self)
        end = _UNABLE if text.endswith(_UNABLE) else ""
        return f"t{text[1:].removesuffix(end)} while writing to {path}{end}"


async def filter_work(
    line: CommandLine,
    addresses: Sequence[str],
    scope: Scope,
    surroundings: Surroundings,
    *,
    timeout: float,
    size: int,
) -> CommandWork | None:
    """`size`: bytes of the copy, about. None when the command comes to nothing. Raises CommandError, ExpansionDeferred."""
    arguments = await line.arguments(scope, addresses)
    if not arguments or not arguments[0]:
        return None
    return CommandWork(
        actor=surroundings.actor,
        arguments=arguments,
        directory=surroundings.directory,
        umask=_UMASK,
        timeout=timeout,
        max_output=GROWTH * size + (1 << 20),
    )


async def filtered(copy: Copy, work: CommandWork, services: TransportServices) -> Copy:
    """What the command makes of the copy. Raises FilterFailed, CommandError."""
    if not work.arguments[0].startswith("/"):
        raise _cannot_run()
    try:
        end = await services.local_work.run(work, copy.pieces())
    except WorkRefused as refusal:
        raise CommandError(str(refusal)) from None
    _check(end)
    return Copy(headers=b"", body=(end.output,), has_headers=False, is_filtered=True)


def _check(end: CommandEnd) -> None:
    """Raises FilterFailed."""
    if end.failed_to == "exec":
        raise _cannot_run()
    if end.failed_to:
        raise FilterFailed(f"transport filter: failed to {end.failed_to} (error {end.error})")
    if end.is_timed_out:
        raise FilterFailed("transport filter timeout while writing to pipe", is_timed_out=True)
    if end.is_too_talkative:
        raise FilterFailed("transport filter wrote too much")
    if end.signal or end.code:
        raise FilterFailed(f"Transport filter process failed ({-end.signal or end.code})", is_panic=True)


def _cannot_run() -> FilterFailed:
    text = f"Transport filter process failed ({_NOT_RUN}){_UNABLE}"
    return FilterFailed(text, is_permanent=True, is_panic=True)
