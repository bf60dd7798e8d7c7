"""ACLs, transports and named lists that nothing uses: often the sign of a name misspelt elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pillarbox.config.model import Config
from pillarbox.flow.review.finding import Finding, check

_WORD = re.compile(r"[A-Za-z_][\w.-]*")


@check("unused parts")
def unused(config: Config) -> Iterator[Finding]:
    raw = config.raw
    words = _words(config)
    for acl in raw.acls.values():
        if acl.name not in words:
            yield Finding(acl.position, "", -1, f"ACL {acl.name} is never used")
    for transport in raw.transports:
        if transport.name not in words:
            yield Finding(transport.position, "", -1, f"transport {transport.name} is never used")
    for found in raw.lists:
        if f"+{found.name}" not in words:
            yield Finding(found.position, "", -1, f"{found.kind}list {found.name} is never used")


def _words(config: Config) -> set[str]:
    """Every word of the values, and `+word` for named lists: words in texts count too, so nothing in use is reported."""
    raw = config.raw
    values = [option.value or "" for option in raw.main]
    values += [found.source for found in raw.lists]
    values += [line.text for acl in raw.acls.values() for line in acl.lines]
    values += [line.text for line in (*raw.retry, *raw.rewrite)]
    for drivers in (raw.routers, raw.transports, raw.authenticators):
        values += [option.value or "" for driver in drivers for option in driver.options]
    text = "\n".join(values)
    return set(_WORD.findall(text)) | {
        f"+{name}" for name in re.findall(r"\+\s*(\w+)|listnamed\w*:\s*(\w+)", text) for name in name
    }
