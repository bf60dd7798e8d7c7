"""Is what a client calls itself its own name? (Exim 14, helo_verify_hosts; 44.17, verify = helo.) Its address in brackets, its verified
name, or a name that has its address."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.scope import Services
from pillarbox.language.match.host_names import ClientName, NameFinder, addresses_by_dns

Tell = Callable[[str, int], None]
"""For those who listen, in Exim's words: a line, and how far to the right it stands, from where the asker is; below 0: at the left."""


def _say_nothing(line: str, depth: int) -> None:
    return None


async def helo_is_true(
    helo: str, client: ClientName, services: Services, names: NameFinder, tell: Tell = _say_nothing
) -> bool | None:
    """None: that cannot be said now, because the client's own name could not be asked for."""
    tell(f'verifying EHLO/HELO argument "{helo}"', -1)
    if helo.startswith("["):
        if helo[1:-1].lower().removeprefix("ipv6:") != client.address.lower():
            return False
        tell("matched host address", -1)
        return True
    if not helo:
        return False
    if not client.is_known and not client.is_deferred:
        try:
            client.learn(await names.name_of(client.address), is_shown=False)
        except ExpansionDeferred:
            client.is_deferred = True
    if client.name and client.name == helo.lower():
        tell("matched host name", -1)
        return True
    tell(f"getting IP address for {helo}", -1)
    for line, depth in _of_dnssec(helo):
        tell(line, depth)
    try:
        addresses = await addresses_by_dns(helo.lower(), services)
    except ExpansionDeferred:
        addresses = frozenset()
    if client.address in addresses:
        tell(f"IP address for {helo} matches calling address", -1)
        tell("Forward DNS security status: unverified", -1)
        return True
    return None if client.is_deferred else False


def _of_dnssec(name: str) -> Iterator[tuple[str, int]]:
    """Nothing requires it; it is asked for everywhere."""
    yield "check dnssec require list", 0
    yield f'{name} in ""?', 1
    yield f'{name} in ""? no (end of list)', 1
    yield "check dnssec request list", 0
    yield f'{name} in "*"?', 1
    yield "list element: *", 2
    yield f'{name} in "*"? yes (matched "*")', 2
