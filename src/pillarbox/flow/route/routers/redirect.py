"""redirect: aliases, forward files and filters (Exim chapter 22).

`data` or `file` gives a list of addresses, files, pipes and special items, or an Exim filter; what comes of it replaces the address.

Known gaps: what is declared `inert`; Sieve filters are refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import msgspec

from pillarbox.config.declare import option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import ExpandedBool, Groups, Octal, Users
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.filtering import is_set, permissions_for, run_filter
from pillarbox.flow.route.logins import group_id, user_ids
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
from pillarbox.flow.route.redirection_file import Checks, Unreadable, read_included, read_redirection
from pillarbox.flow.route.result import (
    Assignment,
    Declined,
    Discarded,
    LogLine,
    Postponed,
    Redirected,
    Refused,
    RouteResult,
)
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.taint import is_tainted, plain
from pillarbox.language.expand.template import Template
from pillarbox.language.filter import actions
from pillarbox.language.filter.recognition import kind_of
from pillarbox.language.filter.texts import quoted
from pillarbox.mail.reply import Reason
from pillarbox.ports.localwork import Actor

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
    allow_filter: ExpandedBool = option(default=False, doc="The list may be a filter.")
    allow_freeze: bool = option(default=False, doc="A filter may freeze the message.")
    check_ancestor: bool = option(
        default=False, doc="An ancestor among the new addresses becomes the current address."
    )
    check_group: bool | None = option(
        default=None,
        doc="The file's group must be right; unset: with check_local_user, where the mask lets groups write.",
    )
    check_owner: bool | None = option(
        default=None,
        doc="The file's owner must be right; unset: with check_local_user or owners.",
    )
    directory_transport: Template | None = option(default=None, doc="For paths that end in a slash.")
    file_transport: Template | None = option(default=None, doc="For paths.")
    filter_prepend_home: bool = option(default=True, doc="Relative paths in a filter lie in $home.")
    forbid_blackhole: ExpandedBool = option(default=False, doc="Forbid `:blackhole:`.")
    forbid_exim_filter: ExpandedBool = option(default=False, doc="Forbid Exim filters.")
    forbid_file: ExpandedBool = option(default=False, doc="Forbid delivery to files and directories.")
    forbid_filter_dlfunc: ExpandedBool = option(default=False, doc="Forbid ${dlfunc} in filters.")
    forbid_filter_existstest: ExpandedBool = option(default=False, doc="Forbid exists and stat in filters.")
    forbid_filter_logwrite: ExpandedBool = option(default=False, doc="Forbid logwrite in filters.")
    forbid_filter_lookup: ExpandedBool = option(default=False, doc="Forbid ${lookup} in filters.")
    forbid_filter_perl: ExpandedBool = option(default=False, doc="Forbid ${perl} in filters.")
    forbid_filter_readfile: ExpandedBool = option(default=False, doc="Forbid ${readfile} in filters.")
    forbid_filter_readsocket: ExpandedBool = option(default=False, doc="Forbid ${readsocket} in filters.")
    forbid_filter_reply: ExpandedBool = option(
        default=False, doc="Forbid mail, vacation and their like in filters."
    )
    forbid_filter_run: ExpandedBool = option(default=False, doc="Forbid ${run} in filters.")
    forbid_include: ExpandedBool = option(default=False, doc="Forbid `:include:`.")
    forbid_pipe: ExpandedBool = option(default=False, doc="Forbid pipes.")
    forbid_sieve_filter: ExpandedBool = option(default=False, doc="Forbid Sieve filters.")
    forbid_smtp_code: ExpandedBool = option(
        default=False, doc="`:fail:` and `:defer:` may not set the SMTP code."
    )
    hide_child_in_errmsg: bool = option(
        default=False, doc="Bounces do not tell the new address.", inert="noted"
    )
    ignore_eacces: bool = option(default=False, doc="A file that may not be read is as if it were not there.")
    ignore_enotdir: bool = option(
        default=False, doc="A path that leads through a file is as if it were not there."
    )
    include_directory: str = option(default="", doc="`:include:` only beneath this directory.")
    modemask: Octal = option(default=0o022, doc="Permissions that the file may not have.")
    one_time: bool = option(
        default=False,
        doc="Redirect once and for all: later tries deliver to the new addresses.",
    )
    owners: Users | None = option(default=None, doc="Users that may own the file.")
    owngroups: Groups | None = option(default=None, doc="Groups that may own the file.")
    pipe_transport: Template | None = option(default=None, doc="For commands.")
    qualify_domain: Template | None = option(default=None, doc="Domain for new addresses without one.")
    qualify_preserve_domain: bool = option(
        default=False, doc="New addresses without domain get the present one."
    )
    repeat_use: bool = option(default=True, doc="Whether descendants of an address may come here again.")
    reply_transport: Template | None = option(default=None, doc="For replies that filters make.")
    rewrite: bool = option(default=True, doc="Rewrite new addresses by the rules of the configuration.")
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

    async def route(self, visit: Visit) -> RouteResult:
        try:
            text = await self._text(visit)
            kind = kind_of(text)
            if kind == "forward":
                return await self._redirect_by_list(text, visit)
            return await self._redirect_by_filter(text, kind, visit)
        except Unreadable as error:
            return self.postpone(visit, str(error))
        except _Stop as stop:
            return stop.result

    async def _text(self, visit: Visit) -> str:
        """Empty when there is nothing, or an expansion was forced to fail."""
        source = self.data if self.data is not None else self.file
        assert source is not None
        try:
            text = await visit.expand(source)
        except ForcedFailure:
            return ""
        except (ExpansionDeferred, ExpansionFailed) as error:
            raise _Stop(self.postpone(visit, f'failed to expand "{source.source}": {error}')) from None
        if self.data is not None:
            return text
        return await read_redirection(text, visit, await self._actor(visit), self._checks(visit)) or ""

    async def _actor(self, visit: Visit) -> Actor | None:
        """As whom files are read: the router's user, else the local one. None: as ourselves."""
        uid, gid = await self.ids(visit)
        return None if uid is None else Actor(uid, gid if gid is not None else uid)

    def _checks(self, visit: Visit) -> Checks:
        owners = {uid for name in self.owners or () if (uid := user_ids(name)[0]) is not None}
        groups = {gid for name in self.owngroups or () if (gid := group_id(name)) is not None}
        if visit.local_user is not None:
            owners.add(visit.local_user.uid)
            groups.add(visit.local_user.gid)
        return Checks(
            owners=frozenset(owners) if self.check_owner else None,
            groups=frozenset(groups) if self.check_group else None,
            modemask=self.modemask,
            ignores_enotdir=self.ignore_enotdir,
            ignores_eacces=self.ignore_eacces,
        )

    # Lists

    async def _redirect_by_list(self, text: str, visit: Visit) -> RouteResult:
        items = parse_redirection(text)
        if any(isinstance(item, Include) for item in items):
            items = await self._with_includes(items, visit, 0, [0])
        if not items:
            return Declined("no redirection data")
        children: list[Candidate | Assignment] = []
        changes = await self.inherited(visit)
        skipped = 0
        for item in items:
            match item:
                case Address():
                    children.append(await self._child(item, visit, changes))
                case Pipe(command=command):
                    children.append(await self._delivery("pipe", f"|{command}", visit, changes))
                case File(path=path):
                    children.append(await self._delivery(_kind_of_path(path), path, visit, changes))
                case Malformed(item=wrong, why=why):
                    self._complain(f"{why} in {quoted(wrong)}", visit)
                    skipped += 1
                case Special():
                    answer = await self._answer(item, visit, tuple(children))
                    if answer is not None:
                        return answer
                case Include():
                    continue
        if not children:
            return (
                Declined(message="syntax error in redirection data") if skipped else Declined("no addresses")
            )
        return Redirected(tuple(children), await self.is_unseen(visit))

    def _complain(self, why: str, visit: Visit) -> None:
        if not self.skip_syntax_errors:
            raise _Stop(self.postpone(visit, f"error in redirect data: {why}"))
        visit.log.append(LogLine(f"{self.name} router: skipped error: {why}"))

    async def _with_includes(
        self, items: list[Item], visit: Visit, depth: int, count: list[int]
    ) -> list[Item]:
        full: list[Item] = []
        for item in items:
            if not isinstance(item, Include):
                full.append(item)
                continue
            count[0] += 1
            if depth >= _MAX_INCLUDE_DEPTH or count[0] > _MAX_INCLUDES:
                raise _Stop(self._error(visit, "too many :include: items"))
            await self._check_include(item.path, visit)
            try:
                text = await read_included(item.path, visit, await self._actor(visit))
            except Unreadable as error:
                raise _Stop(self._error(visit, str(error))) from None
            full.extend(await self._with_includes(parse_redirection(text), visit, depth + 1, count))
        return full

    def _error(self, visit: Visit, why: str) -> Postponed:
        return self.postpone(visit, f"error in redirect data: {why}")

    async def _check_include(self, path: str, visit: Visit) -> None:
        if await is_set(self.forbid_include, "forbid_include", visit):
            raise _Stop(self._error(visit, "included files not permitted"))
        if not path.startswith("/"):
            raise _Stop(self._error(visit, f'included file "{path}" is not an absolute path'))
        if is_tainted(path):
            raise _Stop(self._error(visit, f"Tainted name '{path}' for included file not permitted"))
        directory = self.include_directory.rstrip("/")
        if directory and (not path.startswith(f"{directory}/") or "/../" in path):
            raise _Stop(self._error(visit, f"included file {path} is not in directory {directory}"))

    async def _answer(
        self, item: Special, visit: Visit, children: tuple[Candidate | Assignment, ...]
    ) -> RouteResult | None:
        """What a special item makes of the whole list; None: nothing. `children`: what stood before it."""
        match item.word:
            case "blackhole":
                if await is_set(self.forbid_blackhole, "forbid_blackhole", visit):
                    return self._error(visit, '":blackhole:" is not permitted')
                return Discarded()
            case "unknown":
                return (
                    Redirected(children, await self.is_unseen(visit)) if children else Declined(":unknown:")
                )
            case "fail" if self.allow_fail:
                return Refused(Reason(item.text, item.text), children)
            case "defer" if self.allow_defer:
                return Postponed(Reason(item.text, item.text), (self.retry_key(visit),), children=children)
            case word:
                said = f":{word}: {item.text}" if item.text else f":{word}:"
                return self._error(visit, f'"{said}" is not permitted')

    # Filters

    async def _redirect_by_filter(self, text: str, kind: str, visit: Visit) -> RouteResult:
        allowed = await is_set(self.allow_filter, "allow_filter", visit)
        if not allowed:
            return self.postpone(visit, "error in filter data: filtering not enabled")
        name = "forbid_exim_filter" if kind == "exim" else "forbid_sieve_filter"
        if await is_set(getattr(self, name), name, visit):
            what = "Exim" if kind == "exim" else "Sieve"
            return self.postpone(visit, f"error in filter data: {what} filtering not enabled")
        if kind == "sieve":
            return self.postpone(visit, "error in filter data: Sieve filters are not supported yet")
        home = visit.home if self.filter_prepend_home and visit.home else None
        outcome = await run_filter(text, visit, await permissions_for(self, visit), home)
        if outcome.error:
            return self.postpone(visit, f"error in filter data: {outcome.error}")
        children = await self._filtered(outcome.actions, visit)
        end = outcome.end
        if end is not None:
            return self._ended(end, visit)
        if not outcome.is_delivered:
            return Declined("the filter delivers nothing", children=children)
        if not children:
            return Discarded(await self.is_unseen(visit))
        return Redirected(children, await self.is_unseen(visit))

    def _ended(self, end: actions.End, visit: Visit) -> RouteResult:
        match end.verb:
            case "fail":
                return Refused(Reason(end.text, end.text))
            case "defer":
                return Postponed(Reason(end.text, end.text), (self.retry_key(visit),))
            case "freeze":
                return self.postpone(visit, end.text, is_frozen=True)

    async def _filtered(
        self, wanted: Iterable[actions.Action], visit: Visit
    ) -> tuple[Candidate | Assignment, ...]:
        """The deliveries that a filter has set up, in order."""
        changes = await self.inherited(visit)
        made: list[Candidate | Assignment] = []
        for action in wanted:
            match action:
                case actions.Deliver(address=address):
                    local_part, _, domain = address.rpartition("@")
                    child = await self._child(Address(local_part, domain), visit, changes)
                    if action.errors_to is not None:
                        child = msgspec.structs.replace(child, errors_to=action.errors_to)
                    made.append(msgspec.structs.replace(child, ignores_errors=action.ignores_errors))
                case actions.Save(path=path):
                    saved = await self._delivery(_kind_of_path(path), path, visit, changes)
                    made.append(
                        msgspec.structs.replace(saved, mode=action.mode, ignores_errors=action.ignores_errors)
                    )
                case actions.Pipe(command=command):
                    piped = await self._delivery("pipe", f"|{command}", visit, changes)
                    made.append(
                        msgspec.structs.replace(
                            piped,
                            expands_command=True,
                            captures=action.captures,
                            this_address=action.this_address,
                            ignores_errors=action.ignores_errors,
                        )
                    )
                case actions.Mail(to=to):
                    answered = await self._delivery("reply", f">{to or '**bad-reply**'}", visit, changes)
                    made.append(
                        msgspec.structs.replace(answered, reply=action, ignores_errors=action.ignores_errors)
                    )
                case (
                    actions.MailIgnored()
                    | actions.Add()
                    | actions.LogFile()
                    | actions.LogWrite()
                    | actions.Headers()
                    | actions.TestPrint()
                    | actions.Finish()
                    | actions.End()
                ):
                    continue
                case _:
                    assert_never(action)
        return tuple(made)

    # What redirection makes

    async def _child(self, item: Address, visit: Visit, changes: dict[str, object]) -> Candidate:
        current = visit.candidate
        address = f"{item.local_part}@{item.domain or await self._domain_for(item, visit)}"
        if self.rewrite and visit.services.rewrite is not None:
            address = await visit.services.rewrite.rewrite(address, "T", visit.scope)
        if self.check_ancestor and _is_among(address, (current, *current.parents)):
            address = current.address
        child = current.child(plain(address), self.name, _text_of(changes.get("errors_to")))
        return msgspec.structs.replace(
            child,
            start_router=self.redirect_router,
            address_data=visit.address_data,
            router_variables=visit.router_variables,
            headers_add=changes.get("headers_add", current.headers_add),
            headers_remove=changes.get("headers_remove", current.headers_remove),
            self_hostname=visit.self_hostname,
            is_hidden=self.hide_child_in_errmsg or current.is_hidden,
            is_one_time=self.one_time,
        )

    async def _domain_for(self, item: Address, visit: Visit) -> str:
        if item.is_escaped or self.qualify_preserve_domain:
            return visit.domain
        if self.qualify_domain is not None:
            try:
                return await visit.expand(self.qualify_domain) or visit.domain
            except ForcedFailure:
                pass
        return visit.services.qualify_recipient or visit.domain

    async def _delivery(self, kind: str, target: str, visit: Visit, changes: dict[str, object]) -> Assignment:
        """To a file, a directory, a pipe or a sender: needs no more routing. The variables stay those of the parent."""
        trouble, transport = "", ""
        try:
            transport = await self._transport_for(kind, visit)
        except _NoTransport as why:
            trouble = str(why)
        current = visit.candidate
        child = msgspec.structs.replace(
            current.child(plain(target), self.name, _text_of(changes.get("errors_to"))),
            local_part=current.local_part,
            original_local_part=current.original_local_part,
            domain=current.domain,
        )
        return msgspec.structs.replace(
            visit.draft(),
            candidate=child,
            transport=transport,
            file=target.removeprefix("|") if kind == "pipe" else target,
            target=kind,
            trouble=trouble,
            forbidden=await self._forbidden(kind, visit),
            **changes,
        )

    async def _transport_for(self, kind: str, visit: Visit) -> str:
        """Raises _NoTransport."""
        template: Template | None = getattr(self, f"{kind}_transport")
        if template is None:
            raise _NoTransport(f"{kind}_transport unset in {self.name} router")
        try:
            return await self.transport_name(visit, template)
        except (ExpansionFailed, ExpansionDeferred) as error:
            raise _NoTransport(str(error)) from None

    async def _forbidden(self, kind: str, visit: Visit) -> str:
        match kind:
            case "pipe" if await is_set(self.forbid_pipe, "forbid_pipe", visit):
                return "delivery to pipe forbidden"
            case "file" | "directory" if await is_set(self.forbid_file, "forbid_file", visit):
                return "delivery to file forbidden"
            case "reply" if await is_set(self.forbid_filter_reply, "forbid_filter_reply", visit):
                return "autoreply forbidden"
        return ""


class _NoTransport(Exception):
    """`str()` says why."""


def _kind_of_path(path: str) -> str:
    return "directory" if path.endswith("/") else "file"


def _text_of(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _is_among(address: str, candidates: tuple[Candidate, ...]) -> bool:
    folded = address.lower()
    return any(candidate.address.lower() == folded for candidate in candidates)
