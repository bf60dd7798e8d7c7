"""Which text a sender could have written, told from the nodes alone: what would be refused when mail comes is found before."""

from __future__ import annotations

from collections.abc import Iterator

from pillarbox.language.expand.nodes import Condition, Node
from pillarbox.language.expand.references import is_from_outside

_DEPENDS = frozenset(["$value", "$item"])
"""As tainted as what they stand for: no reason to complain."""


def tainted_variables(node: Node | Condition, kind: str = "") -> Iterator[Node]:
    """References to variables from outside that end up in the node's value, but for those quoted for lookups of `kind`."""
    if isinstance(node, Condition) or not node.may_taint:
        return
    label = node.label
    if label.startswith("$"):
        if label not in _DEPENDS and not label[1:].isdigit() and is_from_outside(label[1:]):
            yield node
        return
    if kind and label.startswith(f"quote_{kind}"):
        return
    if label.startswith("lookup "):
        for branch in node.children[-2:]:
            yield from tainted_variables(branch, kind)
        return
    for child in node.children:
        yield from tainted_variables(child, kind)
