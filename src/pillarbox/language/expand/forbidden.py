"""Items that an administrator has locked away: from users' filters (`forbid_filter_run` and its kin of the redirect router).

Put a `Forbidden` into the scope with the names of the items; a template that uses one of them fails when it comes to it, in Exim's words.
"""

from __future__ import annotations

import msgspec

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.scope import Scope

_WORDS = {
    "dlfunc": "dynamically-loaded functions are not permitted",
    "exists": "file existence tests are not permitted",
    "lookup": "lookup expansions are not permitted",
    "perl": "Perl calls are not permitted",
    "python": "Python calls are not permitted",
    "readfile": "file insertions are not permitted",
    "readsocket": "socket insertions are not permitted",
    "run": "running a command is not permitted",
    "stat": "stat() use is not permitted",
}


class Forbidden(msgspec.Struct, frozen=True, gc=False):
    """Names of items, operators and conditions, out of `dlfunc exists lookup perl python readfile readsocket run stat`."""

    names: frozenset[str] = frozenset()


def refuse_forbidden(scope: Scope, name: str) -> None:
    """Raises ExpansionFailed."""
    forbidden = scope.facet(Forbidden)
    if forbidden is not None and name in forbidden.names:
        raise ExpansionFailed(_WORDS.get(name, f'"{name}" is not permitted'))
