r"""A template: a string that was parsed once and is expanded many times.

Pure templates (no lookup, no DNS) are one synchronous call; constants cost nothing. A syntax error is found when the template is
made, so that configuration errors come at load.
"""

from __future__ import annotations

from pillarbox.language.expand.errors import ExpandSyntaxError, ForcedFailure
from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.parser import Observer, Parser
from pillarbox.language.expand.registry import load_families
from pillarbox.language.expand.scope import Scope, replay


class Template:
    """Immutable; equal only to itself."""

    __slots__ = ("expand_now", "is_constant", "is_pure", "node", "source")

    def __init__(self, source: str, node: Node) -> None:
        self.source = source
        self.node = node
        self.is_constant = node.constant is not None
        self.is_pure = node.is_pure
        self.expand_now = node.evaluate
        """(scope) → text. Raises ForcedFailure, ExpansionFailed, ExpansionDeferred; BlockingIOError only when not `is_pure`."""

    @classmethod
    def parse(cls, source: str, observer: Observer | None = None) -> Template:
        """Raises ExpandSyntaxError. Text without `$` and `\\` is its own value. `observer`: told of each piece (see tracing)."""
        load_families()
        try:
            return cls(source, Parser(source, observer).whole())
        except RecursionError:
            raise ExpandSyntaxError("expansions are nested too deep for the stack that is left") from None

    async def expand(self, scope: Scope) -> str:
        """The text. Raises ForcedFailure, ExpansionFailed, ExpansionDeferred."""
        if self.is_pure:
            return self.expand_now(scope)
        return await replay(scope, self.expand_now)

    def __repr__(self) -> str:
        return f"Template({self.source!r})"


async def expanded(template: Template | None, scope: Scope) -> str:
    """The text of an option that may not be set; a forced failure means the same. Raises ExpansionFailed, ExpansionDeferred."""
    if template is None:
        return ""
    try:
        return await template.expand(scope)
    except ForcedFailure:
        return ""
