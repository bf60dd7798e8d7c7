"""`$acl_m…` and `$acl_c…` that nothing sets: always empty where they are used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from pillarbox.config.model import Config
from pillarbox.flow.review.finding import Finding, check
from pillarbox.flow.review.strings import expanded_strings, pieces

_SET = re.compile(r"\bset\s+(acl_[cm]\w+|r_\w+)\s*=|^\s*(r_\w+)\s*=")


@check("unset variables")
def unset_variables(config: Config) -> Iterator[Finding]:
    raw = config.raw
    lines = [line.text for acl in raw.acls.values() for line in acl.lines]
    lines += [
        option.value or "" for router in raw.routers for option in router.options if option.name == "set"
    ]
    assigned = {name for line in lines for found in _SET.findall(line) for name in found if name}
    for found in expanded_strings(config):
        for node in pieces(found.node):
            name = node.label.removeprefix("$")
            if not node.label.startswith(("$acl_m", "$acl_c", "$r_")) or name in assigned:
                continue
            close = get_close_matches(name, assigned, 1, 0.8)
            yield Finding(
                found.position,
                found.source,
                node.position,
                f"{found.option}: {node.label} is never set, so it is always empty",
                f"did you mean ${close[0]}?" if close else "",
            )
