"""ACLs for a configuration that has `control = debug`: they tell the connection's debug log what they do, when there is one (Exim 44.13)."""

from __future__ import annotations

from collections.abc import Mapping

from pillarbox.config.model import Config
from pillarbox.flow.check.acl.modifiers.control import Control
from pillarbox.flow.check.acl.program import Acl
from pillarbox.flow.check.acl.spoken import SpokenAcl, spoken_acls
from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.facets.session import SessionFacts


def acls_of(config: Config) -> Mapping[str, Acl]:
    """As they are where nothing can turn debugging on."""
    acls = {name: acl for name, acl in config.acls.items() if isinstance(acl, Acl)}
    if not any(_may_debug(acl) for acl in acls.values()):
        return acls
    texts = {name: [line.text for line in raw.lines] for name, raw in config.raw.acls.items()}
    return spoken_acls(acls, texts, _tell)


def _may_debug(acl: Acl) -> bool:
    if isinstance(acl, SpokenAcl):
        return False  # a test's, which says everything anyway
    lines = (line for statement in acl.statements for line in statement.lines)
    return any(isinstance(line, Control) and line.may_debug for line in lines)


def _tell(state: AclState, topic: str, text: str) -> None:
    debug = state.memory.connection.debug
    if debug is None:
        return
    live = state.scope.facet(SessionFacts)
    if live is not None:
        debug.hear(live.command)
    debug.tell(topic, text)
