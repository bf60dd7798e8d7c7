"""`From ` lines in front of a message, as UUCP and mailbox programs write them: passed over, and a trusted caller's names the
sender (Exim 48.3).

Programs may always put them there, clients of SMTP where `ignore_fromline_hosts` and `ignore_fromline_local` let them. There may be several.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from pillarbox.language.addresses import AddressError, working_address
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.expand.template import Template
from pillarbox.language.match.hosts import HostList
from pillarbox.language.regex import Regex, search
from pillarbox.mail.taint import plain
from pillarbox.ports.journal import Journal

BEGINNING = b"From "


class FromLines(msgspec.Struct, frozen=True, kw_only=True):
    """`pattern` and `sender`: `uucp_from_pattern` and `uucp_from_sender`."""

    pattern: Regex
    sender: Template | None = None
    hosts: HostList | None = None
    """Who may do so in SMTP; None: nobody."""
    are_local: bool = False
    """Local programs may do so in SMTP."""


class WithoutLines(NamedTuple):
    data: bytes
    sender: str | None = None
    """Whom the last of the lines names, empty for nobody; None: there is none, or it says nothing that can be used."""


async def without_from_lines(
    data: bytes, rules: FromLines, services: Services, journal: Journal, *, domain: str
) -> WithoutLines:
    """`data`: a message, or its first piece with whole lines. `domain`: for a sender without one."""
    named: str | None = None
    while data.startswith(BEGINNING):
        line, _, rest = data.partition(b"\n")
        found = search(rules.pattern, line.decode("utf-8", "surrogateescape"))
        if found is None:
            break
        data = rest
        if rules.sender is not None:
            scope = Scope({}, services)
            scope.captures = found
            sender = await _sender(rules.sender, scope, journal, domain)
            named = named if sender is None else sender
    return WithoutLines(data, named)


async def _sender(template: Template, scope: Scope, journal: Journal, domain: str) -> str | None:
    try:
        text = plain(await template.expand(scope))
        found = working_address(text, allow_null=True)
    except (ExpansionFailed, ExpansionDeferred) as error:
        journal.panic(f'expansion of "{template.source}" failed after matching "From " line: {error}')
        return None
    except AddressError:
        return None
    return found.address if found.domain_at or not found.address else f"{found.address}@{domain}"
