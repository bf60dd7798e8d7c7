"""Trying servers in turn: the first that answers counts (Exim 9.13.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from pillarbox.ports.lookups import LookupDefer


class ServerFailed(Exception):
    """This server gave no answer; the next one may. `str()` is what the lookup defers with if it was the last."""


async def ask_in_turn(servers: Iterable[str], ask: Callable[[str], Awaitable[str | None]]) -> str | None:
    """The first answer (None: not found is one). Raises LookupDefer with the last server's trouble."""
    trouble = ""
    for server in servers:
        try:
            return await ask(server)
        except ServerFailed as failed:
            trouble = str(failed)
    raise LookupDefer(trouble)
