"""`transport_filter` on the way to another host: run when the host waits for the message, since its arguments may name the host (Exim 24).

The arguments are made before MAIL, so what is wrong with them is found before the host hears of the message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.command_line import CommandLine
from pillarbox.flow.transport.filtering import filter_work, filtered
from pillarbox.flow.transport.login import Outbound
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.transport import Prepared
from pillarbox.flow.transport.writing import Copy
from pillarbox.ports.localwork import CommandWork


class RemoteFilter:
    """One job's filter."""

    __slots__ = ("_line", "_prepared", "_services", "_size", "_timeout")

    def __init__(
        self, line: CommandLine, prepared: Prepared, services: TransportServices, timeout: float, size: int
    ) -> None:
        """`size`: of the message, bytes."""
        self._line = line
        self._prepared = prepared
        self._services = services
        self._timeout = timeout
        self._size = size

    async def work_for(self, target: Target, addresses: Sequence[str]) -> CommandWork | None:
        """None: the command comes to nothing. Raises CommandError, ExpansionDeferred."""
        return await filter_work(
            self._line,
            addresses,
            self._prepared.scope.with_facet(Outbound, target.outbound()),
            self._prepared.surroundings,
            timeout=self._timeout,
            size=self._size,
        )

    async def pieces(self, work: CommandWork, chunks: Iterable[bytes]) -> Iterable[bytes]:
        """What it makes of the message in LF form. Raises FilterFailed, CommandError."""
        copy = Copy(headers=b"", body=chunks, has_headers=False)
        return (await filtered(copy, work, self._services)).pieces()
