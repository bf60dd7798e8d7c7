"""Files and commands whose name holds what a sender wrote: refused when mail comes (Exim 11.2, "tainted")."""

from __future__ import annotations

from collections.abc import Iterator

from pillarbox.config.model import Config
from pillarbox.flow.review.finding import Finding, check
from pillarbox.flow.review.strings import Expanded, expanded_strings, pieces
from pillarbox.flow.review.taint import tainted_variables
from pillarbox.language.expand.nodes import Condition, Node
from pillarbox.ports.lookups import STYLES, LookupStyle

PATH_OPTIONS = {
    ("appendfile", "file"),
    ("appendfile", "directory"),
    ("lmtp", "socket"),
    ("lmtp", "command"),
    ("pipe", "command"),
    ("queuefile", "directory"),
    ("redirect", "file"),
    ("redirect", "include_directory"),
    ("autoreply", "file"),
    ("autoreply", "log"),
    ("autoreply", "once"),
}
"""(driver, option) of options that name a file or a program."""
_FIRST_WORD = frozenset(["command"])
_REPLACEMENTS = {
    "$local_part": "$local_part_data (set by check_local_user, or by a lookup in local_parts)",
    "$domain": "$domain_data (set by the domain list that matched)",
    "$sender_address": "a lookup's result",
}


@check("tainted paths")
def tainted_paths(config: Config) -> Iterator[Finding]:
    for found in expanded_strings(config):
        if (found.driver, found.option) in PATH_OPTIONS:
            yield from _whole_option(found)
        for node in pieces(found.node):
            if (argument := _path_argument(node)) is not None:
                what = "file name" if node.label != "run" else "command"
                yield from _findings(found, argument, f"the {what} of {node.label.split()[0]}")


def _whole_option(found: Expanded) -> Iterator[Finding]:
    end = len(found.source)
    if found.option in _FIRST_WORD:
        end = len(found.source.split(None, 1)[0]) if found.source.strip() else 0
    for finding in _findings(found, found.node, f"{found.option} of {found.place} {found.owner}"):
        if finding.mark < end:
            yield finding


def _path_argument(node: Node | Condition) -> Node | None:
    """The child that names a file or a program."""
    if isinstance(node, Condition):
        wanted = node.children[0] if node.label in ("exists",) and node.children else None
    elif node.label.startswith("lookup "):
        style = STYLES.get(node.label.split()[1])
        wanted = node.children[1] if style is LookupStyle.SINGLE_KEY else None
    else:
        wanted = (
            node.children[0] if node.label in ("readfile", "run", "readsocket") and node.children else None
        )
    return wanted if isinstance(wanted, Node) else None


def _findings(found: Expanded, node: Node, what: str) -> Iterator[Finding]:
    for variable in tainted_variables(node):
        better = _REPLACEMENTS.get(variable.label, "a value that a lookup or a list returned")
        yield Finding(
            found.position,
            found.source,
            variable.position,
            f"{what} holds {variable.label}, which the sender of a message chooses: it is refused when mail comes",
            f"use {better}",
        )
