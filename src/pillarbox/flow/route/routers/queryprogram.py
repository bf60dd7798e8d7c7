"""queryprogram: ask a command where an address goes (Exim chapter 21).

The command runs as `command_user` with our environment cleared; what it prints, one line, is the answer. Its arguments are divided before
they are expanded, each by itself, so no address can add one.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Literal

import msgspec

from pillarbox.config.declare import derived, option
from pillarbox.config.errors import EarlyError, OptionError
from pillarbox.config.kinds import Duration, ExpandedGroup, ExpandedUser
from pillarbox.config.logins import main_group_of
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.host_lists import HostFinder
from pillarbox.flow.route.hosts import DNS_ONLY, DNS_THEN_FILE
from pillarbox.flow.route.inheritance import inherited
from pillarbox.flow.route.logins import group_id, user_ids
from pillarbox.flow.route.redirection import Address, File, Malformed, Pipe, parse_redirection
from pillarbox.flow.route.result import (
    Assignment,
    Declined,
    Host,
    LogLine,
    Passed,
    Postponed,
    Redirected,
    Refused,
    RouteResult,
)
from pillarbox.flow.route.route_rules import parse_hosts
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.visit import Visit, plain_reason
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.items.run import words
from pillarbox.language.expand.taint import is_tainted, plain
from pillarbox.language.expand.template import Template
from pillarbox.language.filter.texts import quoted
from pillarbox.mail.reply import Reason
from pillarbox.ports.localwork import Actor, CommandEnd, CommandWork, WorkRefused

_MAX_LINE = 1023
_ITEM = re.compile(r'\s*([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|(\S*))')
_NOT_FOUND = 127
"""Exit code for a command that cannot be run."""


class QueryProgram(Router, driver="queryprogram"):
    """Route by what a command prints."""

    command: Template | None = option(default=None, doc="The command and its arguments, expanded one by one.")
    command_group: ExpandedGroup | None = option(
        default=None, doc="Group that it runs with; unset: the main group of a fixed user."
    )
    command_user: ExpandedUser | None = option(default=None, doc="User that it runs as.")
    current_directory: str = option(default="/", doc="Directory in which it runs.")
    timeout: Duration = option(default="1h", doc="Stop it after this long.")

    arguments: tuple[Template, ...] = derived(init=False)
    """`command`, divided."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.command is None:
            raise OptionError("a command specification is required", "command")
        if self.command_user is None:
            raise OptionError("command_user must be specified", "command_user")
        if self.command_group is None and self.command_user.is_constant:
            group = main_group_of(self.command_user.source)
            object.__setattr__(self, "command_group", Template.parse(group) if group else None)
        try:
            arguments = tuple(Template.parse(word) for word in words(self.command.source))
        except (ExpandSyntaxError, ExpansionFailed) as error:
            raise EarlyError(str(error), "command") from None
        object.__setattr__(self, "arguments", arguments)

    async def route(self, visit: Visit) -> RouteResult:
        actor = await self._actor(visit)
        if isinstance(actor, Postponed):
            return actor
        arguments: list[str] = []
        for number, each in enumerate(self.arguments):
            text = await visit.expand(each)
            if is_tainted(text):
                problem = f"Tainted arg {number} for queryprogram router command: '{text}'"
                return self.postpone(visit, problem)
            arguments.append(plain(text))
        if not arguments or not arguments[0].startswith("/"):
            return self.postpone(visit, self._returned(_NOT_FOUND))
        work = visit.services.work
        if work is None:
            return self.postpone(visit, f"{self.name} router: commands cannot be run here")
        wish = CommandWork(
            actor=actor,
            arguments=tuple(arguments),
            directory=self.current_directory,
            timeout=self.timeout,
            max_output=_MAX_LINE * 4,
        )
        try:
            end = await work.run(wish)
        except WorkRefused as refusal:
            return self.postpone(visit, f"{self.name} router: {refusal}")
        return self._problem(end, visit) or await self._obey(_line_of(end.output), visit)

    async def _actor(self, visit: Visit) -> Actor | Postponed:
        assert self.command_user is not None
        name = await visit.expand(self.command_user)
        uid, gid = user_ids(name)
        if self.command_group is not None:
            gid = group_id(await visit.expand(self.command_group))
        if uid is None:
            return self.postpone(visit, f'Failed to find user "{name}" for the {self.name} router')
        if gid is None:
            return self.postpone(visit, f"command_user set without command_group for {self.name} router")
        return Actor(uid, gid)

    def _problem(self, end: CommandEnd, visit: Visit) -> Postponed | None:
        """Something other than a command that ran to its end well."""
        if end.is_timed_out:
            return self.postpone(visit, f"{self.name} router: command timed out")
        if end.failed_to == "exec":
            return self.postpone(visit, self._returned(_NOT_FOUND))
        if end.failed_to:
            return self.postpone(visit, f"{self.name} router couldn't create child process: {end.failed_to}")
        if end.signal:
            return self.postpone(visit, f"{self.name} router: command killed by signal {end.signal}")
        if end.code:
            return self.postpone(visit, self._returned(end.code))
        return None

    def _returned(self, code: int) -> str:
        return f"{self.name} router: command returned non-zero code {code}"

    def _bad(self, text: str, visit: Visit) -> Postponed:
        """An answer that makes no sense: the administrator hears of it."""
        visit.log.append(LogLine(f"{self.name} router: {text}", is_panic=True, is_main=False))
        return self.postpone(visit, text)

    async def _obey(self, line: str, visit: Visit) -> RouteResult:
        word, _, rest = line.lstrip().partition(" ")
        rest = rest.strip()
        match word.strip().lower():
            case "accept":
                return await self._accept(rest, visit)
            case "decline":
                return Declined("the command declined")
            case "pass":
                return Passed(self.pass_router)
            case "fail":
                return Refused(plain_reason(rest))
            case "defer":
                return Postponed(Reason(rest), (self.retry_key(visit),))
            case "freeze":
                return Postponed(Reason(rest), (self.retry_key(visit),), is_frozen=True)
            case "redirect":
                return await self._redirect(rest, visit)
            case _:
                return self._bad(f"bad command yield: {word} {rest}", visit)

    async def _redirect(self, text: str, visit: Visit) -> RouteResult:
        children: list[Candidate | Assignment] = []
        changes = await inherited(self, visit)
        errors_to = changes.get("errors_to")
        for item in parse_redirection(text):
            match item:
                case Address(local_part=local_part, domain=domain):
                    address = f"{local_part}@{domain or visit.services.qualify_recipient}"
                    child = visit.candidate.child(
                        address, self.name, errors_to if isinstance(errors_to, str) else None
                    )
                    children.append(
                        msgspec.structs.replace(
                            child, start_router=self.redirect_router, address_data=visit.address_data
                        )
                    )
                case Malformed(item=wrong, why=why):
                    return self.postpone(visit, f"error in redirect data: {why} in {quoted(wrong)}")
                case Pipe(command=command):
                    children.append(_forbidden(f"|{command}", "pipe", "delivery to pipe forbidden", visit))
                case File(path=path):
                    children.append(_forbidden(path, "file", "delivery to file forbidden", visit))
                case _:
                    return self.postpone(visit, "error in redirect data: only addresses are permitted")
        if not children:
            return self.postpone(visit, "error in redirect data: no addresses supplied")
        return Redirected(tuple(children), await self.is_unseen(visit))

    async def _accept(self, text: str, visit: Visit) -> RouteResult:
        try:
            given = _items_of(text)
            items = [item for item in parse_hosts(given.get("hosts", "")) if item != "+"]
        except ValueError as error:
            return self.postpone(visit, f"{self.name} router: {error}")
        if "data" in given:
            visit.address_data = given["data"]
            visit.is_stale = True
        transport = self.transport
        if "transport" in given and given["transport"] not in visit.services.transports:
            return self._bad(f"unknown transport name {given['transport']} yielded by command", visit)
        if "transport" in given:
            transport = Template.parse("\\N" + given["transport"] + "\\N")
        name = ""
        with suppress(ForcedFailure):
            name = await visit.expand(transport) if transport is not None else ""
        if not items:
            return await self.assign(visit, transport=transport)
        if not visit.services.transports.get(name, True):
            return await self.assign(visit, (Host(given["hosts"], ()),), transport=transport)
        lookup = given.get("lookup", "")
        if lookup.lower() not in ("", "byname", "bydns"):
            return self._bad(f'bad lookup type "{lookup}" yielded by command', visit)
        method = DNS_ONLY if lookup.lower() == "bydns" else DNS_THEN_FILE
        found = await HostFinder(self, visit, "defer", "defer").find(items, method)
        if not isinstance(found, tuple):
            return found
        return await self.assign(visit, found, transport=transport)


def _line_of(output: bytes) -> str:
    """The first line, cut to what Exim reads."""
    return output.partition(b"\n")[0][:_MAX_LINE].decode("utf-8", "surrogateescape").rstrip()


def _items_of(text: str) -> dict[str, str]:
    """`name=value` items; those with other names are passed over. Raises ValueError."""
    found: dict[str, str] = {}
    position = 0
    while text[position:].strip():
        item = _ITEM.match(text, position)
        if item is None:
            raise ValueError(f'bad command yield: "{text[position:].strip()}" is not understood')
        value = item.group(2) if item.group(2) is not None else item.group(3)
        found[item.group(1).lower()] = re.sub(r"\\(.)", r"\1", value)
        position = item.end()
    return found


def _forbidden(target: str, kind: Literal["file", "pipe"], why: str, visit: Visit) -> Assignment:
    candidate = msgspec.structs.replace(
        visit.candidate.child(target, visit.router), domain=visit.domain, local_part=visit.local_part
    )
    return msgspec.structs.replace(
        visit.draft(), candidate=candidate, file=target.removeprefix("|"), target=kind, forbidden=why
    )
