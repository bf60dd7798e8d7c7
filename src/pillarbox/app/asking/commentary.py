"""What is decided, said while it happens: ACLs line by line and the routers that an address meets (`exim -bh`, Exim 5.2).

What is said of ACLs and lists is what Exim says. Routers are told of in words for people.
"""

from __future__ import annotations

import sys

from pillarbox.config.model import Config
from pillarbox.flow.check.acl.spoken import spoken_acls
from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.route.candidate import Candidate, Purpose
from pillarbox.flow.route.chain import Chain
from pillarbox.flow.route.result import Routed
from pillarbox.flow.route.trace import Trace, narrate
from pillarbox.language.expand.scope import Scope


def say(text: str) -> None:
    print(f">>> {text}", file=sys.stderr, flush=True)


def speak(config: Config) -> None:
    """Make the ACLs of a configuration say what they do."""
    texts = {name: [line.text for line in raw.lines] for name, raw in config.raw.acls.items()}
    config.acls = spoken_acls(config.acls, texts, _say)


def _say(state: AclState, topic: str, text: str) -> None:
    say(text)


class TellingChain(Chain):
    """Says which routers an address meets."""

    __slots__ = ()

    async def route(
        self,
        candidate: Candidate,
        purpose: Purpose,
        scope: Scope,
        trace: Trace | None = None,
        *,
        follows_all: bool = False,
    ) -> Routed:
        heard: Trace = [] if trace is None else trace
        routed = await super().route(candidate, purpose, scope, heard, follows_all=follows_all)
        for line in narrate(heard):
            say(f" {line}")
        say(f" end of routing {candidate.address}")
        return routed
