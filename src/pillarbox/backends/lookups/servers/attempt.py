"""Trying servers in turn: the first that answers counts (Exim 9.13.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from pillarbox.backends.lookups.servers.specification import Product, server_items, wanted_servers
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


async def ask_servers(
    product: Product,
    query: str,
    options: tuple[str, ...],
    configured: str,
    ask: Callable[[str, str], Awaitable[str | None]],
) -> str | None:
    """What the first server that can be asked says, of those that the query, its options or else the main option (`configured`) name. `ask`
    is given a server and the query itself. Raises LookupDefer."""
    if not query.strip():
        return None  # as Exim: nothing was asked
    wanted = wanted_servers(product, query, options, configured)
    servers = server_items(product, wanted, configured)
    return await ask_in_turn(servers, lambda server: ask(server, wanted.query))
