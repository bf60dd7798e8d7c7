"""ACLs that other ACLs name: all of them must be there, which can be said once all are compiled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pillarbox.flow.check.acl.conditions.acl import NestedAcl
from pillarbox.flow.check.acl.program import Acl, Test


def missing_acls(acls: Mapping[str, Acl]) -> Iterator[tuple[str, str]]:
    """(position `file:line`, name) of each `acl = name` that names none."""
    for acl in acls.values():
        for statement in acl.statements:
            for line in statement.lines:
                if not isinstance(line, Test) or not isinstance(line.condition, NestedAcl):
                    continue
                if line.condition.called and line.condition.called not in acls:
                    yield line.position, line.condition.called
