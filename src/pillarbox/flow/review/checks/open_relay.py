"""An ACL for RCPT that lets anybody send to anybody.

The ACL is run for a stranger: an address from the documentation networks, no login, no TLS, a sender and a recipient in domains that
nobody has; every verification succeeds, every lookup finds nothing. What accepts that accepts everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from pillarbox.config.model import Config
from pillarbox.flow.check.acl.finding import AclFinder
from pillarbox.flow.check.acl.program import Acl, Statement, run_statement
from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.check.verdict import Accept, Deny, Discard, Drop
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.review.checks.unreachable_acl_lines import position_of
from pillarbox.flow.review.finding import Finding, check
from pillarbox.flow.review.quiet_world import quiet_checks, quiet_services
from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.local_host import LocalHost
from pillarbox.mail.envelope import Origin, Recipient

STRANGERS = ("203.0.113.77", "2001:db8:ffff::77")
SENDER = "somebody@stranger.invalid"
RECIPIENT = "anybody@elsewhere.invalid"


@check("open relay")
def open_relay(config: Config) -> Iterator[Finding]:
    option = next((found for found in config.raw.main if found.name == "acl_smtp_rcpt"), None)
    if option is None or not option.value:
        return
    acls = {name: acl for name, acl in config.acls.items() if isinstance(acl, Acl)}
    name = option.value.strip()
    if name == "accept":
        yield Finding(option.position, option.text, -1, _reason(STRANGERS[0]), _ADVICE)
        return
    acl = acls.get(name)
    if acl is None:
        return
    finder = AclFinder(acls, config.named)
    for host in STRANGERS:
        accepting = asyncio.run(_accepting(acl, config, finder, host))
        if accepting is not None:
            yield Finding(position_of(accepting.position), "", -1, _reason(host), _ADVICE)
            return


_ADVICE = "accept for your own domains, your own hosts and authenticated users, and deny the rest"


def _reason(host: str) -> str:
    return f"open relay: this accepts mail from {host}, a stranger, to {RECIPIENT}, which is not yours"


async def _accepting(acl: Acl, config: Config, finder: AclFinder, host: str) -> Statement | None:
    """The statement that accepts. What cannot be decided refuses nobody, unless it is a requirement."""
    state = _state(config, finder, host)
    for statement in acl.statements:
        match await run_statement(statement, state):
            case None:
                continue
            case Accept():
                return statement
            case Deny() | Drop() | Discard():
                return None
            case _:
                if statement.verb in ("accept", "require", "discard"):
                    return None
    return None


def _state(config: Config, finder: AclFinder, host: str) -> AclState:
    origin = Origin(
        protocol="esmtp",
        host_address=host,
        host_port=40000,
        helo="stranger.invalid",
        interface_address="192.0.2.1",
        interface_port=25,
    )
    facts = MessageFacts()
    facts.sender = SENDER
    recipient = Candidate.first(Recipient(RECIPIENT))
    services = quiet_services({**config.main_facets, LocalHost: LocalHost("mail.invalid", frozenset())})
    scope = Scope({Origin: origin, MessageFacts: facts, Candidate: recipient}, services)
    return AclState("rcpt", scope, origin, facts, quiet_checks(finder), recipient)
