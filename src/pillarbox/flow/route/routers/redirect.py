"""redirect: aliases and forward files (Exim chapter 22).

`data` or `file` gives a list of addresses, files, pipes and special items; what is left of it after the checks replaces the address.

Known gaps: what is declared `inert`, filters above all; files are read as ourselves while there is no root helper, so their owners are not
checked either.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pillarbox.config.declare import Unready, option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import ExpandedBool, Groups, Octal, Users
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

    data: Template | None = option(default=None, doc="The list of new addresses.")
    file: Template | None = option(default=None, doc="The file that holds the list.")
    allow_defer: bool = option(default=False, doc="Allow `:defer:`.")
    allow_fail: bool = option(default=False, doc="Allow `:fail:`.")
    allow_filter: ExpandedBool = option(default=False, doc="The list may be a filter.", inert="refused")
    allow_freeze: bool = option(default=False, doc="A filter may freeze the message.", inert="refused")
    check_ancestor: bool = option(
        default=False, doc="An ancestor among the new addresses becomes the current address."
    )
    check_group: bool | None = option(
        default=None,
        doc="The file's group must be right; unset: with check_local_user, where the mask lets groups write.",
        inert="refused",
    )
    check_owner: bool | None = option(
        default=None,
        doc="The file's owner must be right; unset: with check_local_user or owners.",
        inert="refused",
    )
    directory_transport: Template | None = option(default=None, doc="For paths that end in a slash.")
    file_transport: Template | None = option(default=None, doc="For paths.")
    filter_prepend_home: bool = option(
        default=True, doc="Relative paths in a filter lie in $home.", inert="noted"
    )
    forbid_blackhole: ExpandedBool = option(default=False, doc="Forbid `:blackhole:`.")
    forbid_exim_filter: ExpandedBool = option(default=False, doc="Forbid Exim filters.", inert="noted")
    forbid_file: ExpandedBool = option(default=False, doc="Forbid delivery to files and directories.")
    forbid_filter_dlfunc: ExpandedBool = option(
        default=False, doc="Forbid ${dlfunc} in filters.", inert="noted"
    )
    forbid_filter_existstest: ExpandedBool = option(
        default=False, doc="Forbid exists and stat in filters.", inert="noted"
    )
    forbid_filter_logwrite: ExpandedBool = option(
        default=False, doc="Forbid logwrite in filters.", inert="noted"
    )
    forbid_filter_lookup: ExpandedBool = option(
        default=False, doc="Forbid ${lookup} in filters.", inert="noted"
    )
    forbid_filter_perl: ExpandedBool = option(default=False, doc="Forbid ${perl} in filters.", inert="noted")
    forbid_filter_readfile: ExpandedBool = option(
        default=False, doc="Forbid ${readfile} in filters.", inert="noted"
    )
    forbid_filter_readsocket: ExpandedBool = option(
        default=False, doc="Forbid ${readsocket} in filters.", inert="noted"
    )
    forbid_filter_reply: ExpandedBool = option(
        default=False, doc="Forbid mail, vacation and their like in filters.", inert="noted"
    )
    forbid_filter_run: ExpandedBool = option(default=False, doc="Forbid ${run} in filters.", inert="noted")
    forbid_include: ExpandedBool = option(default=False, doc="Forbid `:include:`.")
    forbid_pipe: ExpandedBool = option(default=False, doc="Forbid pipes.")
    forbid_sieve_filter: ExpandedBool = option(default=False, doc="Forbid Sieve filters.", inert="noted")
    forbid_smtp_code: ExpandedBool = option(
        default=False, doc="`:fail:` and `:defer:` may not set the SMTP code.", inert="refused"
    )
    hide_child_in_errmsg: bool = option(
        default=False, doc="Bounces do not tell the new address.", inert="noted"
    )
    ignore_eacces: bool = option(
        default=False, doc="A file that may not be read is as if it were not there.", inert="noted"
    )
    ignore_enotdir: bool = option(
        default=False, doc="A path that leads through a file is as if it were not there.", inert="noted"
    )
    include_directory: str = option(default="", doc="`:include:` only beneath this directory.")
    modemask: Octal = option(default=0o022, doc="Permissions that the file may not have.", inert="refused")
    one_time: bool = option(
        default=False,
        doc="Redirect once and for all: later tries deliver to the new addresses.",
        inert="refused",
    )
    owners: Users | None = option(default=None, doc="Users that may own the file.", inert="refused")
    owngroups: Groups | None = option(default=None, doc="Groups that may own the file.", inert="refused")
    pipe_transport: Template | None = option(default=None, doc="For commands.")
    qualify_domain: Template | None = option(
        default=None, doc="Domain for new addresses without one.", inert="refused"
    )
    qualify_preserve_domain: bool = option(
        default=False, doc="New addresses without domain get the present one."
    )
    repeat_use: bool = option(default=True, doc="Whether descendants of an address may come here again.")
    reply_transport: Template | None = option(
        default=None, doc="For replies that filters make.", inert="noted"
    )
    rewrite: bool = option(
        default=True, doc="Rewrite new addresses by the rules of the configuration.", inert="noted"
    )
    sieve_enotify_mailto_owner: Template | None = option(
        default=None, doc="Owner of notifications by mail in Sieve.", inert="noted"
    )
    sieve_inbox: Template | None = option(
        default=None, doc="The file that `keep` of Sieve means.", inert="noted"
    )
    sieve_subaddress: Template | None = option(
        default=None, doc="The `detail` part of an address for Sieve.", inert="noted"
    )
    sieve_useraddress: Template | None = option(
        default=None, doc="The `user` part of an address for Sieve.", inert="noted"
    )
    sieve_vacation_directory: Template | None = option(
        default=None, doc="Directory of notes about vacation replies.", inert="noted"
    )
    skip_syntax_errors: bool = option(default=False, doc="Ignore malformed addresses in the list.")
    syntax_errors_text: Template | None = option(
        default=None, doc="Text of the message about malformed addresses.", inert="noted"
    )
    syntax_errors_to: str | None = option(
        default=None, doc="Who is told of malformed addresses.", inert="noted"
    )

    must_have_transport = False

    def __post_init__(self) -> None:
        super().__post_init__()
        put = object.__setattr__
        if self.data is None and self.file is None:
            raise OptionError('one of "file" or "data" must be specified', "data")
        if self.data is not None and self.file is not None:
            raise OptionError('only one of "file" or "data" must be specified', "data")
        if self.qualify_domain is not None and self.qualify_preserve_domain:
            raise OptionError('only one of "qualify_domain" or "qualify_preserve_domain" must be set')
        if self.one_time:
            self._check_one_time()
        if self.check_owner is None:
            put(self, "check_owner", bool(self.check_local_user or self.owners))
        if self.check_group is None:
            is_writable = not self.modemask & 0o020
            put(self, "check_group", bool((self.check_local_user and is_writable) or self.owngroups))

    def _check_one_time(self) -> None:
        """What one_time turns off: files, pipes and replies could not be remembered (Exim 22.8)."""
        if self.headers_add is not None or self.headers_remove is not None:
            raise OptionError('"headers_add" and "headers_remove" are not permitted with "one_time"')
        if self.unseen is not False:
            raise OptionError('"unseen" may not be used with "one_time"')
        for field in ("forbid_pipe", "forbid_file", "forbid_filter_reply"):
            object.__setattr__(self, field, True)

    @property
    def may_repeat(self) -> bool:
        return self.repeat_use

    def unready(self) -> Iterator[Unready]:
        yield from super().unready()
        for field in ("forbid_blackhole", "forbid_file", "forbid_include", "forbid_pipe"):
            if isinstance(getattr(self, field), Template):
                yield Unready(field, "an expansion is not supported here yet")

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
