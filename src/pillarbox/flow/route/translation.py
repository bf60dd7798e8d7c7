"""`translate_ip_address`: addresses of hosts become others (Exim chapter 15): manual routing where IP's own will not do."""

from __future__ import annotations

import msgspec

from pillarbox.flow.route.hosts import addresses_of, is_ip_address
from pillarbox.flow.route.result import Host
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.errors import ExpansionDeferred, ForcedFailure
from pillarbox.language.expand.template import Template


class Translating(msgspec.Struct, frozen=True):
    """What `$host_address` and `$host` are meanwhile: a facet of the expansion's scope."""

    host: str
    address: str


async def translated(hosts: tuple[Host, ...], template: Template, visit: Visit) -> tuple[Host, ...]:
    """Raises ExpansionFailed, ExpansionDeferred."""
    return tuple(
        [
            msgspec.structs.replace(
                host,
                addresses=tuple(
                    [
                        new
                        for address in host.addresses
                        for new in await _translate(host, address, template, visit)
                    ]
                ),
            )
            for host in hosts
        ]
    )


async def _translate(host: Host, address: str, template: Template, visit: Visit) -> tuple[str, ...]:
    """Itself when the expansion is forced to fail; the addresses of a host that it names."""
    scope = visit.scope.with_facet(Translating, Translating(host.name, address))
    try:
        text = (await template.expand(scope)).strip()
    except ForcedFailure:
        return (address,)
    if is_ip_address(text):
        return (text,)
    found = await addresses_of(text, visit.services)
    if found.status != "found":
        raise ExpansionDeferred(f'lookup of host "{text}" of translate_ip_address failed')
    return found.addresses
