r"""`expand`: the text expanded once more (Exim 11.6). The one place where data becomes code, because the author asked for it.

Tainted text is refused, so only what the administrator's own files say can get here.
"""

from __future__ import annotations

from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.operators.scoped import scope_operator
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import is_tainted
from pillarbox.language.printing import quoted


def expanded_again(text: str, scope: Scope) -> str:
    """Raises ExpansionFailed, whose text says nothing of what was expanded, and the rest of what an expansion raises."""
    if text and is_tainted(text):
        raise ExpansionFailed(f"attempt to expand tainted string '{text}'")
    if "$" not in text and "\\" not in text:
        return text
    try:
        return Parser(str(text)).whole().evaluate(scope)
    except ExpandSyntaxError as error:
        raise ExpansionFailed(error.message) from None


@scope_operator("expand", is_pure=False)
def expand(text: str, scope: Scope) -> str:
    try:
        return expanded_again(text, scope)
    except (ExpansionFailed, ExpansionDeferred) as error:
        kind = ExpansionDeferred if isinstance(error, ExpansionDeferred) else ExpansionFailed
        raise kind(f'internal expansion of "{quoted(text)}" failed: {error}') from None
