"""redirect: aliases and forward files (Exim chapter 22).

`data` or `file` gives a list of addresses, files, pipes and special items; what is left of it after the checks replaces the address.

Known gaps: filters (`allow_filter`), `one_time`, `syntax_errors_to`, `hide_child_in_errmsg`, `rewrite`, `qualify_domain`; files are read
as ourselves while there is no root helper, so `check_owner`, `owners` and `modemask` are not there either.
"""

from __future__ import annotations

import msgspec

from pillarbox.config.declare import option
from pillarbox.config.errors import OptionError
from pillarbox.flow.route.candidate import Candidate
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
from pillarbox.flow.route.result import (
    Assignment,
    Declined,
    Discarded,
    Postponed,
    Redirected,
    Refused,
    RouteResult,
)
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.errors import ForcedFailure
from pillarbox.language.expand.template import Template
from pillarbox.mail.reply import Reason
from pillarbox.ports.textfiles import TextFileTrouble

_MAX_INCLUDE_DEPTH = 10
_MAX_INCLUDES = 100


class _Stop(Exception):
    """The whole redirection ends with this result."""

    def __init__(self, result: RouteResult) -> None:
        super().__init__()
        self.result = result


class Redirect(Router, driver="redirect"):
    """Replace the address by others."""

    allow_defer: bool = option(default=False, doc="Allow `:defer:`.")
    allow_fail: bool = option(default=False, doc="Allow `:fail:`.")
    check_ancestor: bool = option(
        default=False, doc="An ancestor among the new addresses becomes the current address."
    )
    data: Template | None = option(default=None, doc="The list of new addresses.")
    directory_transport: Template | None = option(default=None, doc="For paths that end in a slash.")
    file: Template | None = option(default=None, doc="The file that holds the list.")
    file_transport: Template | None = option(default=None, doc="For paths.")
    forbid_blackhole: bool = option(default=False, doc="Forbid `:blackhole:`.")
    forbid_file: bool = option(default=False, doc="Forbid delivery to files and directories.")
    forbid_include: bool = option(default=False, doc="Forbid `:include:`.")
    forbid_pipe: bool = option(default=False, doc="Forbid pipes.")
    include_directory: str = option(default="", doc="`:include:` only beneath this directory.")
    pipe_transport: Template | None = option(default=None, doc="For commands.")
    qualify_preserve_domain: bool = option(
        default=False, doc="New addresses without domain get the present one."
    )
    skip_syntax_errors: bool = option(default=False, doc="Ignore malformed addresses in the list.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.data is None) == (self.file is None):
            raise OptionError("one of data and file must be set, and not both", "data")
        if self.transport is not None:
            raise OptionError("transport must not be set for a redirect router", "transport")

    async def route(self, visit: Visit) -> RouteResult:
        try:
            text = await self._text(visit)
            if not text:
                return Declined("no redirection data")
            items = await self._with_includes(parse_redirection(text), visit, 0, [0])
            if not items:
                return Declined("redirection data without effect")
            return await self._redirect(items, visit)
        except TextFileTrouble as error:
            return self.postpone(visit, str(error))
        except _Stop as stop:
            return stop.result

    async def _text(self, visit: Visit) -> str:
        """Empty when there is nothing, or an expansion was forced to fail."""
        try:
            if self.data is not None:
                return await visit.expand(self.data)
            assert self.file is not None
            path = await visit.expand(self.file)
        except ForcedFailure:
            return ""
        if not path.startswith("/"):
            raise TextFileTrouble(f'"{path}" is not an absolute path for the redirection file')
        return await visit.services.files.read(path, user=visit.user) or ""

    async def _with_includes(
        self, items: list[Item], visit: Visit, depth: int, count: list[int]
    ) -> list[Item]:
        if not any(isinstance(item, Include) for item in items):
            return items
        full: list[Item] = []
        for item in items:
            if not isinstance(item, Include):
                full.append(item)
                continue
            count[0] += 1
            if depth >= _MAX_INCLUDE_DEPTH or count[0] > _MAX_INCLUDES:
                raise _Stop(self.postpone(visit, "too many :include: items"))
            self._check_include(item.path, visit)
            text = await visit.services.files.read(item.path, user=visit.user)
            if text is None:
                raise _Stop(self.postpone(visit, f"failed to open {item.path} (included): no such file"))
            full.extend(await self._with_includes(parse_redirection(text), visit, depth + 1, count))
        return full

    def _check_include(self, path: str, visit: Visit) -> None:
        if self.forbid_include:
            raise _Stop(self.postpone(visit, '":include:" is not permitted'))
        if not path.startswith("/"):
            raise _Stop(self.postpone(visit, f"included file {path!r} is not an absolute path"))
        directory = self.include_directory.rstrip("/")
        if directory and (not path.startswith(f"{directory}/") or "/../" in path):
            raise _Stop(self.postpone(visit, f"included file {path} is not in directory {directory}"))

    async def _redirect(self, items: list[Item], visit: Visit) -> RouteResult:
        special = self._special(items, visit)
        if special is not None:
            return special
        changes = await self.inherited(visit)
        children: list[Candidate] = []
        assignments: list[Assignment] = []
        has_bypassed = False
        for item in items:
            match item:
                case Address():
                    children.append(self._child(item, visit, changes))
                case Pipe(command=command):
                    assignments.append(
                        await self._delivery(f"|{command}", self.pipe_transport, visit, changes)
                    )
                case File(path="/dev/null"):
                    has_bypassed = True
                case File(path=path):
                    chosen = self.directory_transport if path.endswith("/") else self.file_transport
                    assignments.append(await self._delivery(path, chosen, visit, changes))
                case Malformed(item=text, why=why):
                    if not self.skip_syntax_errors:
                        return self.postpone(visit, f'error in redirect data: {why} in "{text}"')
                case Special() | Include():
                    continue
        if not children and not assignments:
            return Discarded() if has_bypassed else Declined("no valid address in the redirection data")
        return Redirected(tuple(children), tuple(assignments), await self.is_unseen(visit))

    def _special(self, items: list[Item], visit: Visit) -> RouteResult | None:
        """`:fail:`, `:defer:`, `:blackhole:`, `:unknown:` hold for the whole list, the first of them."""
        for item in items:
            if isinstance(item, Special):
                return self._answer(item, visit)
        return None

    def _answer(self, item: Special, visit: Visit) -> RouteResult:
        match item.word:
            case "blackhole" if not self.forbid_blackhole:
                return Discarded()
            case "unknown":
                return Declined(":unknown:")
            case "fail" if self.allow_fail:
                text = item.text or "Redirect router forced failure"
                return Refused(Reason(text, item.text))
            case "defer" if self.allow_defer:
                text = item.text or "Redirect router forced deferral"
                return Postponed(Reason(text, item.text), (self.retry_key(visit),))
            case word:
                return self.postpone(visit, f'error in redirect data: ":{word}:" is not permitted')

    def _child(self, item: Address, visit: Visit, changes: dict[str, object]) -> Candidate:
        current = visit.candidate
        domain = item.domain
        if not domain:
            keeps_domain = item.is_escaped or self.qualify_preserve_domain
            domain = visit.domain if keeps_domain else visit.services.qualify_recipient or visit.domain
        address = f"{item.local_part}@{domain}"
        if self.check_ancestor and _is_among(address, (current, *current.parents)):
            address = current.address
        child = current.child(address, self.name, _text_of(changes.get("errors_to")))
        return msgspec.structs.replace(
            child,
            start_router=self.redirect_router,
            address_data=visit.address_data,
            headers_add=changes.get("headers_add", current.headers_add),
            headers_remove=changes.get("headers_remove", current.headers_remove),
            self_hostname=visit.self_hostname,
        )

    async def _delivery(
        self, target: str, transport: Template | None, visit: Visit, changes: dict[str, object]
    ) -> Assignment:
        """To a file, a directory or a pipe: needs no more routing. The variables stay those of the parent."""
        what = "pipe" if target.startswith("|") else "directory" if target.endswith("/") else "file"
        forbidden = self.forbid_pipe if what == "pipe" else self.forbid_file
        if forbidden:
            raise _Stop(
                self.postpone(
                    visit, f'error in redirect data: delivery to a {what} is not permitted: "{target}"'
                )
            )
        name = await visit.expand(transport) if transport is not None else ""
        if name not in visit.services.transports:
            why = f"there is no transport {name}" if name else f"{what}_transport is unset"
            raise _Stop(self.postpone(visit, f"{self.name} router: {why}"))
        current = visit.candidate
        child = msgspec.structs.replace(
            current.child(target, self.name),
            local_part=current.local_part,
            original_local_part=current.original_local_part,
            domain=current.domain,
        )
        return msgspec.structs.replace(
            visit.draft(), candidate=child, transport=name, file=target.removeprefix("|"), **changes
        )


def _text_of(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _is_among(address: str, candidates: tuple[Candidate, ...]) -> bool:
    folded = address.lower()
    return any(candidate.address.lower() == folded for candidate in candidates)
