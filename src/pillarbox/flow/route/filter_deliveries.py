"""What `save`, `pipe` and `mail` set up, in a user's filter as in the system's (Exim 22.3, 45; filter.txt)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import assert_never

from msgspec.structs import replace

from pillarbox.flow.route.generating import kind_of_path
from pillarbox.flow.route.result import Assignment, Target
from pillarbox.language.expand.scope import Scope
from pillarbox.language.filter import actions
from pillarbox.language.filter.mail_command import addressed


async def delivery_of(
    action: actions.Save | actions.Pipe | actions.Mail,
    scope: Scope,
    make: Callable[[Target, str], Awaitable[Assignment]],
) -> Assignment:
    """`make`: a delivery of this kind to that file, `|command` or `>address`."""
    match action:
        case actions.Save(path=path):
            saved = await make(kind_of_path(path), path)
            return _noerror(replace(saved, mode=action.mode), action)
        case actions.Pipe(command=command):
            piped = await make("pipe", f"|{command}")
            piped = replace(
                piped,
                expands_command=True,
                captures=action.captures,
                this_address=action.this_address,
            )
            return _noerror(piped, action)
        case actions.Mail():
            reply, to = addressed(action, scope)
            answer = _noerror(await make("reply", f">{to}"), action)
            return replace(answer, reply=reply, ignores_errors=True)
        case _:
            assert_never(action)


def _noerror(delivery: Assignment, action: actions.Save | actions.Pipe | actions.Mail) -> Assignment:
    candidate = replace(delivery.candidate, ignores_errors=action.ignores_errors)
    return replace(delivery, candidate=candidate, ignores_errors=action.ignores_errors)
