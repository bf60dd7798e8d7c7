"""ACL statements behind one that always decides."""

from __future__ import annotations

from collections.abc import Iterator

from pillarbox.config.errors import Position
from pillarbox.config.model import Config
from pillarbox.flow.check.acl.list_condition import ListCondition
from pillarbox.flow.check.acl.program import Acl, Statement, Test
from pillarbox.flow.review.finding import Finding, check

_DECIDES = frozenset(["accept", "defer", "deny", "discard", "drop"])


@check("unreachable ACL statements")
def unreachable_acl_lines(config: Config) -> Iterator[Finding]:
    for acl in config.acls.values():
        if isinstance(acl, Acl):
            yield from _behind(acl)


def _behind(acl: Acl) -> Iterator[Finding]:
    for number, statement in enumerate(acl.statements[:-1]):
        if _always_decides(statement):
            following = acl.statements[number + 1]
            yield Finding(
                position_of(following.position),
                "",
                -1,
                f"this statement of ACL {acl.name} can never be reached: "
                f"the {statement.verb} at {statement.position} has no condition",
            )
            return


def _always_decides(statement: Statement) -> bool:
    return statement.verb in _DECIDES and not any(
        isinstance(line, Test) and not _is_always_true(line) for line in statement.lines
    )


def _is_always_true(line: Test) -> bool:
    condition = line.condition
    if not isinstance(condition, ListCondition) or condition.may_lack_subject or line.is_negated:
        return False
    return condition.source == "*"


def position_of(text: str) -> Position:
    file, _, line = text.rpartition(":")
    return Position(file, int(line) if line.isdigit() else 0)
