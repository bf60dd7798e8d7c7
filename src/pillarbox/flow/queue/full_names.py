"""Header addresses whose domain routing has completed get the full name (Exim 17.3 `rewrite_headers`, 15 `self = reroute: rewrite`)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pillarbox.language.addresses import Working
from pillarbox.language.rewrite.fields import Replacement, change_fields
from pillarbox.mail.message import Message
from pillarbox.ports.spool import Queued


def with_new_domains(queued: Queued, domains: Mapping[str, str]) -> Queued:
    """The same when no address in the headers has one of them. `domains`: from lower case to the new one."""

    def change(field: str, found: Working) -> Replacement | None:
        if not found.domain_at:
            return None
        new = domains.get(found.address[found.domain_at :].lower())
        return None if new is None else Replacement(found.address[: found.domain_at] + new)

    headers = change_fields(queued.message.headers, change)
    if headers is queued.message.headers:
        return queued
    return msgspec.structs.replace(queued, message=Message(headers, queued.message.body))
