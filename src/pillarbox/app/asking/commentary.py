"""What is decided, said while it happens: ACLs line by line and the routers that an address meets (`exim -bh`, Exim 5.2).

What is said of ACLs and lists is what Exim says. Of routers it is told which were called, and what they said.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from pillarbox.config.model import Config
from pillarbox.flow.check.acl.spoken import spoken_acls
from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.route.candidate import Candidate, Purpose
from pillarbox.flow.route.chain import Chain
from pillarbox.flow.route.result import Routed
from pillarbox.flow.route.trace import Trace
from pillarbox.language.expand.scope import Scope


def say(text: str) -> None:
    print(f">>> {text}", file=sys.stderr, flush=True)


def speak(config: Config) -> None:
    """Make the ACLs of a configuration say what they do."""
    texts = {name: [line.text for line in raw.lines] for name, raw in config.raw.acls.items()}
    config.acls = spoken_acls(config.acls, texts, _say)


def _say(state: AclState, topic: str, text: str) -> None:
    say(text)


_GOES_ON = ("declined", "declined:", "passed")


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
        for line in _tale(heard):
            say(line)
        return routed


def _tale(heard: Trace) -> Iterator[str]:
    """In Exim's words, as far as it goes: what its routers' conditions ask is not told."""
    last: Candidate | None = None
    is_settled = True
    for candidate, router, said in heard:
        if candidate is not last:
            last, is_settled = candidate, False
            yield f" {'>' * 35}"
            yield f" routing {candidate.address}"
        word, _, rest = said.partition(" ")
        if not router or word in ("skipped:", "says:"):
            continue
        yield f"  calling {router} router"
        is_settled = word not in _GOES_ON
        match word:
            case "declined" | "declined:" | "passed":
                yield f"  {router} router {word.rstrip(':')} for {candidate.address}"
            case "failed:":
                yield f"  {router} router forced address failure"
            case "deferred:":
                yield f" {router} router: defer for {candidate.address}"
                yield f"   message: {rest}"
            case _:
                yield f" routed by {router} router"
    if not is_settled:
        yield " no more routers"
