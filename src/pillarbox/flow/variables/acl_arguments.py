"""`$acl_arg1` to `$acl_arg9` and `$acl_narg`: what an ACL was called with (Exim 44.17)."""

from __future__ import annotations

from collections.abc import Callable

from pillarbox.flow.facts import AclArguments
from pillarbox.language.expand.registry import variable


@variable(
    "acl_narg", AclArguments, doc="How many arguments the ACL was called with.", tainted=False, absent="0"
)
def acl_narg(arguments: AclArguments) -> str:
    return str(len(arguments.values))


def _argument(number: int) -> Callable[[AclArguments], str]:
    return lambda arguments: arguments.values[number - 1] if number <= len(arguments.values) else ""


for _number in range(1, 10):
    variable(
        f"acl_arg{_number}",
        AclArguments,
        doc=f"Argument {_number} that the ACL was called with.",
        tainted=False,
    )(_argument(_number))
