"""Is the HELO name the client's? (Exim 44.17, `verify = helo`.) Its address in brackets, its name, or a name with its address."""

from __future__ import annotations

from typing import Literal

from pillarbox.flow.check.acl.state import AclState

KINDS: tuple[Literal["A", "AAAA"], ...] = ("A", "AAAA")


async def helo_is_true(state: AclState) -> bool:
    """Raises CheckDeferred, ExpansionDeferred."""
    connection = state.connection
    helo, address = connection.helo.lower(), connection.host_address.lower()
    if not helo:
        return False
    if helo.startswith("["):
        return helo.strip("[]").removeprefix("ipv6:") == address
    name = connection.host_name or await state.services.host_names.name_of(connection.host_address)
    if helo == name.lower():
        return True
    for kind in KINDS:
        answer = await state.scope.services.resolver.query(helo, kind)
        if any(record.data.lower() == address for record in answer.records):
            return True
    return False
