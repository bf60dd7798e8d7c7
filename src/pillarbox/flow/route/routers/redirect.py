"""redirect: aliases, forward files and filters (Exim chapter 22).

`data` or `file` gives a list of addresses, files, pipes and special items (`forwarding.py`), an Exim filter (`user_filter.py`) or a
Sieve script (`sieve_filter.py`); what comes of it (`generating.py`) replaces the address.

Known gaps: what is declared `inert`.
"""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import ExpandedBool, Groups, Octal, Users
from pillarbox.flow.route.forwarding import redirect_by_list
from pillarbox.flow.route.generating import Stop
from pillarbox.flow.route.inheritance import ids_of
from pillarbox.flow.route.logins import group_id, user_ids
from pillarbox.flow.route.redirection_file import Checks, Unreadable, read_redirection
from pillarbox.flow.route.result import RouteResult
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.user_filter import redirect_by_filter
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.template import Template
from pillarbox.language.filter.recognition import kind_of
from pillarbox.ports.localwork import Actor


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
    hide_child_in_errmsg: bool = option(default=False, doc="Bounces do not tell the new address.")
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
        default=None, doc="Owner of notifications by mail in Sieve."
    )
    sieve_inbox: Template | None = option(default=None, doc="The file that `keep` of Sieve means.")
    sieve_subaddress: Template | None = option(default=None, doc="The `detail` part of an address for Sieve.")
    sieve_useraddress: Template | None = option(default=None, doc="The `user` part of an address for Sieve.")
    sieve_vacation_directory: Template | None = option(
        default=None, doc="Directory of notes about vacation replies."
    )
    skip_syntax_errors: bool = option(default=False, doc="Ignore malformed addresses in the list.")
    syntax_errors_text: Template | None = option(
        default=None, doc="Text of the message about malformed addresses."
    )
    syntax_errors_to: Template | None = option(default=None, doc="Who is told of malformed addresses.")

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

    @property
    def source(self) -> str:
        """Where the list stands, for messages."""
        return "data" if self.data is not None else "file"

    async def route(self, visit: Visit) -> RouteResult:
        try:
            text = await self._text(visit)
            kind = kind_of(text)
            if kind == "forward":
                return await redirect_by_list(self, text, visit)
            return await redirect_by_filter(self, text, kind, visit)
        except Unreadable as error:
            return self.postpone(visit, str(error))
        except Stop as stop:
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
            text = f'failed to expand "{source.source}": {error}'
            raise Stop(self.postpone(visit, text, error="expansion")) from None
        if self.data is not None:
            return text
        return await read_redirection(text, visit, await self.actor(visit), self._checks(visit)) or ""

    async def actor(self, visit: Visit) -> Actor | None:
        """As whom files are read: the router's user, else the local one. None: as ourselves."""
        uid, gid = await ids_of(self, visit)
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
