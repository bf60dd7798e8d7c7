"""What Pillarbox makes of a string, in `exim -be`'s words."""

from __future__ import annotations

from tests.support.clock import JumpClock
from tests.support.fake_dns import FakeDns

from pillarbox.backends.lookups.registry import LookupTypes
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.expand.template import Template
from pillarbox.language.match.local_host import LocalHost
from pillarbox.language.match.named import NamedLists

CONFIGURATION = """\
primary_hostname = mail.example.org
domainlist loc = a.b : *.c
"""


def scope() -> Scope:
    named = NamedLists()
    named.define("domain", "loc", "a.b : *.c")
    clock = JumpClock()
    services = Services(LookupTypes(clock), FakeDns(), clock)
    here = LocalHost("mail.example.org", frozenset({"127.0.0.1", "::1"}))
    return Scope({NamedLists: named, LocalHost: here}, services)


async def expand(text: str) -> str:
    try:
        return await Template.parse(text).expand(scope())
    except (ExpandSyntaxError, ExpansionFailed, ExpansionDeferred) as error:
        return f"Failed: {error}"
