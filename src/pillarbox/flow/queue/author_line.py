"""`From:` of what we write ourselves (`dsn_from`, Exim chapter 14)."""

from __future__ import annotations

from functools import cache

from pillarbox.flow.settings.bounces import USUAL_AUTHOR
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.ports.journal import Journal


@cache
def _usual() -> Template:
    """Not at once: the variables must be known."""
    return Template.parse(USUAL_AUTHOR)


def usual_author_line(scope: Scope) -> str:
    return _usual().expand_now(scope)


async def author_line(template: Template, scope: Scope, journal: Journal, message_id: str) -> str:
    """What `template` comes to. Where it cannot be expanded the panic log says so, and the line is the usual one."""
    try:
        return await template.expand(scope)
    except (ExpansionFailed, ExpansionDeferred) as error:
        line = f"Failed to expand dsn_from (using default): {error}"
        journal.panic(f"{message_id} {line}" if message_id else line)
        return usual_author_line(scope)
