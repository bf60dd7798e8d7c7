"""What the generic options of a router put into a delivery, or into the addresses that it makes of another (Exim chapter 15)."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from pillarbox.flow.route.logins import UnusableLogin, group_id, unknown_login, user_ids
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.template import Template

if TYPE_CHECKING:
    from pillarbox.flow.route.router import Router


async def inherited(router: Router, visit: Visit) -> dict[str, object]:
    """What the generic options put into an Assignment: errors_to, headers, user, group, home. Empty when none is set."""
    changes: dict[str, object] = {}
    if router.errors_to is not None and (errors_to := await _errors_address(router, visit)) is not None:
        changes["errors_to"] = errors_to
    candidate = visit.candidate
    if router.added_headers:
        texts = await _each(router, visit, router.added_headers, "add_headers item ")
        changes["headers_add"] = (*candidate.headers_add, *chain.from_iterable(map(split_headers, texts)))
    if router.removed_headers:
        names = await _each(router, visit, router.removed_headers, "remove_headers item ")
        changes["headers_remove"] = (*candidate.headers_remove, *(name.strip() for name in names))
    if router.user is not None or router.group is not None:
        uid, gid = await ids_of(router, visit)
        if uid is not None:
            changes["user"] = str(uid)
        if gid is not None:
            changes["group"] = str(gid)
    if router.transport_home_directory is not None:
        changes["home"], changes["no_home"] = await _directory("home", router.transport_home_directory, visit)
    elif router.router_home_directory is not None and visit.local_user is not None:
        changes["home"] = visit.local_user.home
    if router.transport_current_directory is not None:
        changes["current_directory"], changes["no_current"] = await _directory(
            "current", router.transport_current_directory, visit
        )
    if router.initgroups:
        changes["initgroups"] = True
    if router.log_as_local:
        changes["logs_as_local"] = True
    return changes


async def _directory(what: str, template: Template, visit: Visit) -> tuple[str, tuple[str, str]]:
    """(path, what is wrong with it)."""
    try:
        path = await visit.expand(template)
    except (ExpansionFailed, ExpansionDeferred) as error:
        return "", (f'{what} directory "{template.source}" failed to expand', f": {error}")
    if not path.startswith("/"):
        return "", (f'{what} directory path "{path}" is not absolute', "")
    return path, ("", "")


async def _errors_address(router: Router, visit: Visit) -> str | None:
    """`errors_to`; None when it is not to be used: forced to fail, or an address that does not verify."""
    assert router.errors_to is not None
    text = await _optional(router, visit, router.errors_to, "")
    if text is None or visit.is_verifying or not text.strip():
        return None if text is None else text.strip()
    address = text.strip()
    if "@" not in address:
        address = f"{address}@{visit.services.qualify_recipient}"
    if address == visit.sender or visit.verify is None or await visit.verify(address):
        return address
    return None


async def ids_of(router: Router, visit: Visit) -> tuple[int | None, int | None]:
    """User and group of what the router does: its own, else those that check_local_user found. Raises UnusableLogin."""
    uid = gid = None
    if visit.local_user is not None:
        uid, gid = visit.local_user.uid, visit.local_user.gid
    if router.user is not None:
        name = await login_of("user", router.user, router, visit)
        uid, own_gid = user_ids(name)
        if uid is None:
            raise unknown_login("user", name, router.user.source, router.name)
        gid = own_gid if own_gid is not None else gid
    if router.group is not None:
        name = await login_of("group", router.group, router, visit)
        gid = group_id(name)
        if gid is None:
            raise unknown_login("group", name, router.group.source, router.name)
    if uid is not None and gid is None:
        raise ExpansionFailed(f"user set without group for {router.name} router")
    return uid, gid


async def login_of(what: str, template: Template, router: Router, visit: Visit) -> str:
    """Raises UnusableLogin."""
    try:
        return await visit.expand(template)
    except (ExpansionFailed, ExpansionDeferred) as error:
        text = f'Failed to expand {what} string "{template.source}" for the {router.name} router: {error}'
        raise UnusableLogin(text) from None


async def _each(router: Router, visit: Visit, items: tuple[Template, ...], what: str) -> list[str]:
    """Those that make something. Raises as `_optional`."""
    texts = [await _optional(router, visit, item, what) for item in items]
    return [text for text in texts if text and text.strip()]


async def _optional(router: Router, visit: Visit, template: Template, what: str) -> str | None:
    """None when forced to fail. Raises ExpansionFailed, ExpansionDeferred, saying `what` it was."""
    try:
        return await visit.expand(template)
    except ForcedFailure:
        return None
    except (ExpansionFailed, ExpansionDeferred) as error:
        kind = ExpansionDeferred if isinstance(error, ExpansionDeferred) else ExpansionFailed
        raise kind(f'{router.name} router failed to expand {what}"{template.source}": {error}') from None


def split_headers(text: str) -> tuple[str, ...]:
    """Whole header fields: a line that begins with white space belongs to the one before."""
    fields: list[str] = []
    for line in text.strip("\n").split("\n"):
        if line[:1] in (" ", "\t") and fields:
            fields[-1] += "\n" + line
        elif line.strip():
            fields.append(line)
    return tuple(fields)
