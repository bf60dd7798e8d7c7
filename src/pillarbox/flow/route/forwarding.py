"""A redirection list made into children: aliases, `.forward` and what they include (Exim 22.4 to 22.6, 22.9)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.filtering import is_set
from pillarbox.flow.route.generating import Generator, Stop, data_error, kind_of_path
from pillarbox.flow.route.redirection import (
    Address,
    File,
    Include,
    Item,
    Malformed,
    Pipe,
    Special,
    parse_redirection,
)
from pillarbox.flow.route.redirection_file import Unreadable, read_included
from pillarbox.flow.route.result import (
    Assignment,
    Declined,
    Discarded,
    Postponed,
    Redirected,
    Refused,
    RouteResult,
)
from pillarbox.flow.route.skipped_errors import Mistake, tell_of
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.taint import is_tainted
from pillarbox.mail.reply import Reason

if TYPE_CHECKING:
    from pillarbox.flow.route.routers.redirect import Redirect

_MAX_INCLUDE_DEPTH = 10
_MAX_INCLUDES = 100
_CODE = re.compile(r"[45]\d\d(?:[ -](?:[45]\.\d{1,3}\.\d{1,3} )?|$)\s*")
"""An SMTP code, and an enhanced one, at the beginning of a text."""


async def redirect_by_list(router: Redirect, text: str, visit: Visit) -> RouteResult:
    """Raises Stop."""
    items = parse_redirection(text)
    if any(isinstance(item, Include) for item in items):
        items = await _with_includes(router, items, visit, 0, [0])
    if not items:
        return Declined("no redirection data")
    children: list[Candidate | Assignment] = []
    mistakes: list[Mistake] = []
    generator = await Generator.at(router, visit)
    for item in items:
        match item:
            case Address():
                children.append(await generator.child(item))
            case Pipe(command=command):
                children.append(await generator.delivery("pipe", "|" + command))
            case File(path=path):
                children.append(await generator.delivery(kind_of_path(path), path))
            case Malformed(item=wrong, why=why):
                mistake = Mistake(why, wrong)
                if not router.skip_syntax_errors:
                    return data_error(router, visit, str(mistake))
                mistakes.append(mistake)
            case Special():
                answer = await _answer(router, item, visit, tuple(children))
                if answer is not None:
                    return answer
            case Include():
                continue
    if mistakes:
        await tell_of(mistakes, router, visit, has_children=bool(children))
    if not children:
        return Declined(message="syntax error in redirection data") if mistakes else Declined("no addresses")
    return Redirected(tuple(children), await router.is_unseen(visit))


async def _with_includes(
    router: Redirect, items: list[Item], visit: Visit, depth: int, count: list[int]
) -> list[Item]:
    full: list[Item] = []
    for item in items:
        if not isinstance(item, Include):
            full.append(item)
            continue
        count[0] += 1
        if depth >= _MAX_INCLUDE_DEPTH or count[0] > _MAX_INCLUDES:
            raise Stop(data_error(router, visit, "too many :include: items"))
        await _check_include(router, item.path, visit)
        try:
            text = await read_included(item.path, visit, await router.actor(visit), router.include_directory)
        except Unreadable as error:
            raise Stop(data_error(router, visit, str(error))) from None
        full.extend(await _with_includes(router, parse_redirection(text), visit, depth + 1, count))
    return full


async def _check_include(router: Redirect, path: str, visit: Visit) -> None:
    if not path:
        raise Stop(data_error(router, visit, "file name missing after :include:"))
    if not path.startswith("/"):
        raise Stop(data_error(router, visit, f'included file "{path}" is not an absolute path'))
    if await is_set(router.forbid_include, "forbid_include", visit):
        raise Stop(data_error(router, visit, "included files not permitted"))
    if is_tainted(path):
        raise Stop(data_error(router, visit, f"Tainted name '{path}' for included file not permitted"))
    directory = router.include_directory.rstrip("/")
    if directory and (not path.startswith(f"{directory}/") or "/../" in path):
        why = f"included file {path} is not in directory {router.include_directory}"
        raise Stop(data_error(router, visit, why))


async def _answer(
    router: Redirect, item: Special, visit: Visit, children: tuple[Candidate | Assignment, ...]
) -> RouteResult | None:
    """What a special item makes of the whole list; None: nothing. `children`: what stood before it."""
    match item.word:
        case "blackhole":
            if await is_set(router.forbid_blackhole, "forbid_blackhole", visit):
                return data_error(router, visit, '":blackhole:" is not permitted')
            return Discarded()
        case "unknown":
            return None  # it overrides a default, and names nobody
        case "fail" if router.allow_fail:
            text = await _without_code(router, item.text, visit)
            return Refused(Reason(text, text), children)
        case "defer" if router.allow_defer:
            text = await _without_code(router, item.text, visit)
            return Postponed(Reason(text, text), (router.retry_key(visit),), children=children)
        case word:
            said, *_ = f":{word}: {item.text}".split(",")
            said = said.rstrip()
            return data_error(router, visit, f'"{said}" is not permitted')


async def _without_code(router: Redirect, text: str, visit: Visit) -> str:
    """`forbid_smtp_code`: the list may not say with which code a client is refused."""
    if router.forbid_smtp_code is False or not await is_set(
        router.forbid_smtp_code, "forbid_smtp_code", visit
    ):
        return text
    return _CODE.sub("", text, count=1) if _CODE.match(text) else text
