"""The full names of the machine's users, for From: and Sender: of what they send (Exim 14, `gecos_name`)."""

from __future__ import annotations

import pwd
from collections.abc import Callable

from pillarbox.flow.settings import Trust
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.regex import compile_regex, search


def full_name_of(entry: pwd.struct_passwd, trust: Trust, expansion: Services) -> str:
    """What `gecos_pattern` and `gecos_name` make of the comment, else all of it; `&` stands for the login name."""
    name = entry.pw_gecos.replace("&", entry.pw_name.capitalize())
    if trust.gecos_pattern is not None and trust.gecos_name is not None:
        found = search(compile_regex(trust.gecos_pattern), name)
        if found is None:
            return name
        scope = Scope({}, expansion)
        scope.captures = found
        return trust.gecos_name.expand_now(scope)
    return name


def names_of_users(trust: Trust, expansion: Services) -> Callable[[str], str]:
    """Login name → full name; empty for nobody."""

    def find(login: str) -> str:
        try:
            return full_name_of(pwd.getpwnam(login), trust, expansion)
        except KeyError:
            return ""

    return find
