"""queryprogram: ask a command where an address goes (Exim chapter 21).

The command runs as `command_user` with our environment cleared; what it prints is the answer, whatever number of lines that is. Its arguments
are divided before they are expanded, each by itself, so no address can add one.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal

import msgspec

from pillarbox.config.declare import derived, option
from pillarbox.config.errors import EarlyError, OptionError
from pillarbox.config.kinds import Duration, ExpandedGroup, ExpandedUser
from pillarbox.config.logins import main_group_of
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.host_lists import HostFinder
from pillarbox.flow.route.hosts import DNS_ONLY, DNS_THEN_FILE
from pillarbox.flow.route.inheritance import inherited, login_of
from pillarbox.flow.route.logins import group_id, unknown_login, user_ids
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
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.items.extract import named_field
from pillarbox.language.expand.items.run import words
from pillarbox.language.expand.taint import is_tainted, plain
from pillarbox.language.expand.template import Template
from pillarbox.language.filter.texts import quoted
from pillarbox.mail.reply import Reason
from pillarbox.ports.localwork import Actor, CommandEnd, CommandWork, WorkRefused

_MAX_ANSWER = 1023
"""Bytes, as Exim reads."""
_SPACE = " \t\n\v\f\r"
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
        changes = await inherited(self, visit)
        actor = await self._actor(visit)
        if isinstance(actor, Postponed):
            return actor
        arguments: list[str] = []
        for number, each in enumerate(self.arguments):
            try:
                text = await visit.expand(each)
            except (ExpansionFailed, ExpansionDeferred) as error:
                problem = f'Expansion of "{each.source}" from command "{self.command_text}" in queryprogram router failed: {error}'
                return self.postpone(visit, problem)
            if is_tainted(text):
                problem = f"Tainted arg {number} for queryprogram router command: '{text}'"
                return self.postpone(visit, problem)
            arguments.append(plain(text))
        if not arguments or not arguments[0]:
            return self.postpone(visit, self._returned(_NOT_FOUND))
        arguments[0] = str(PurePosixPath(self.current_directory) / arguments[0])
        work = visit.services.work
        if work is None:
            return self.postpone(visit, f"{self.name} router: commands cannot be run here")
        wish = CommandWork(
            actor=actor,
            arguments=tuple(arguments),
            directory=self.current_directory,
            timeout=self.timeout,
            max_output=_MAX_ANSWER * 4,
        )
        try:
            end = await work.run(wish)
        except WorkRefused as refusal:
            return self.postpone(visit, f"{self.name} router: {refusal}")
        return self._problem(end, visit) or await self._obey(_answer_of(end.output), visit, changes)

    @property
    def command_text(self) -> str:
        assert self.command is not None
        return self.command.source

    async def _actor(self, visit: Visit) -> Actor | Postponed:
        """Raises UnusableLogin."""
        assert self.command_user is not None
        name = await login_of("user", self.command_user, self, visit)
        uid, gid = user_ids(name)
        if uid is None:
            raise unknown_login("user", name, self.command_user.source, self.name)
        if self.command_group is not None:
            group = await login_of("group", self.command_group, self, visit)
            gid = group_id(group)
            if gid is None:
                raise unknown_login("group", group, self.command_group.source, self.name)
        if gid is None:
            return self.postpone(visit, f"command_user set without command_group for {self.name} router")
        return Actor(uid, gid)

    def _problem(self, end: CommandEnd, visit: Visit) -> Postponed | None:
        """Something other than a command that ran to its end well."""
        if end.is_timed_out:
            return self.postpone(visit, f"{self.name} router: command timed out")
        if end.failed_to in ("exec", "chdir"):
            return self.postpone(visit, self._returned(_NOT_FOUND))
        if end.failed_to:
            return self.postpone(visit, f"{self.name} router couldn't create child process: {end.failed_to}")
        if end.signal:
            return self.postpone(visit, f"{self.name} router: command killed by signal {end.signal}")
        if end.code:
            return self.postpone(visit, self._returned(end.code))
        if not end.output:
            return self.postpone(visit, f"{self.name} router: command failed to return data")
        return None

    def _returned(self, code: int) -> str:
        return f"{self.name} router: command returned non-zero code {code}"

    def _bad(self, text: str, visit: Visit) -> Postponed:
        """An answer that makes no sense: the administrator hears of it."""
        visit.log.append(LogLine(f"{self.name} router: {text}", is_panic=True, is_main=False))
        return self.postpone(visit, text)

    async def _obey(self, answer: str, visit: Visit, changes: dict[str, object]) -> RouteResult:
        """`changes`: what the generic options hand down."""
        word = answer.split(None, 1)[0] if answer else ""
        rest = answer[len(word) + 1 :]
        match word.lower():
            case "accept":
                return await self._accept(rest, visit, changes)
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
                return await self._redirect(rest, visit, changes)
            case _:
                return self._bad(f"bad command yield: {word} {rest}", visit)

    async def _redirect(self, text: str, visit: Visit, changes: dict[str, object]) -> RouteResult:
        children: list[Candidate | Assignment] = []
        for item in parse_redirection(text):
            match item:
                case Address():
                    children.append(await self._child(item, visit, changes))
                case Pipe(command=command):
                    children.append(_forbidden(f"|{command}", "pipe", "delivery to pipe forbidden", visit))
                case File(path=path):
                    children.append(_forbidden(path, "file", "delivery to file forbidden", visit))
                case Special(word="fail", text=why):
                    return Refused(plain_reason(why), tuple(children))
                case Special(word="unknown"):
                    continue
                case _:
                    return self.postpone(visit, f"error in redirect data: {_mistake(item)}")
        if not children:
            return self.postpone(visit, "error in redirect data: no addresses supplied")
        return Redirected(tuple(children), await self.is_unseen(visit))

    async def _child(self, item: Address, visit: Visit, changes: dict[str, object]) -> Candidate:
        current = visit.candidate
        domain = item.domain or (visit.domain if item.is_escaped else visit.services.qualify_recipient)
        address = f"{item.local_part}@{domain}"
        if visit.services.rewriting is not None:
            rewritten = await visit.services.rewriting.of_envelope(address, visit.scope)
            visit.log += [LogLine(text, is_panic=is_complaint) for text, is_complaint in rewritten.notes]
            address = rewritten.address
        errors_to = changes.get("errors_to")
        child = current.child(
            plain(address),
            self.name,
            errors_to if isinstance(errors_to, str) else None,
            is_caseful=self.caseful_local_part,
        )
        return msgspec.structs.replace(
            child,
            start_router=self.redirect_router,
            address_data=visit.address_data,
            router_variables=visit.router_variables,
            headers_add=changes.get("headers_add", current.headers_add),
            headers_remove=changes.get("headers_remove", current.headers_remove),
        )

    async def _accept(self, text: str, visit: Visit, changes: dict[str, object]) -> RouteResult:
        if data := named_field("data", text):
            visit.address_data = data
            visit.is_stale = True
        transport = self.transport
        if given := named_field("transport", text):
            if given not in visit.services.transports:
                return self._bad(f"unknown transport name {given} yielded by command", visit)
            transport = Template.parse("\\N" + given + "\\N")
        listed = named_field("hosts", text)
        if not listed:
            return await self.assign(visit, transport=transport, changes=changes)
        lookup = named_field("lookup", text) or ""
        if lookup not in ("", "byname", "bydns"):
            return self._bad(f'bad lookup type "{lookup}" yielded by command', visit)
        method = DNS_ONLY if lookup == "bydns" else DNS_THEN_FILE
        try:
            items = [item for item in parse_hosts(listed) if item != "+"]
        except ValueError as error:
            return self.postpone(visit, f"{self.name} router: {error}")
        found = await HostFinder(self, visit, "defer", "defer").find(items, method)
        if not isinstance(found, tuple):
            return found
        return await self.assign(visit, found, transport=transport, changes=changes)


def _answer_of(output: bytes) -> str:
    """Cut to what Exim reads."""
    return output[:_MAX_ANSWER].decode("utf-8", "surrogateescape").strip(_SPACE)


def _mistake(item: Item) -> str:
    """Why there is no use for it."""
    match item:
        case Malformed(item=wrong, why=why):
            return f"{why} in {quoted(wrong)}"
        case Include():
            return "included files not permitted"
        case Special(word="blackhole"):
            return '":blackhole:" is not permitted'
        case Special(word=word, text=text):
            return f'"{f":{word}: {text}".partition(",")[0].rstrip()}" is not permitted'
        case _:
            return "only addresses are permitted"


def _forbidden(target: str, kind: Literal["file", "pipe"], why: str, visit: Visit) -> Assignment:
    candidate = msgspec.structs.replace(
        visit.candidate.child(target, visit.router), domain=visit.domain, local_part=visit.local_part
    )
    return msgspec.structs.replace(
        visit.draft(),
        candidate=candidate,
        file=target.removeprefix("|"),
        target=kind,
        forbidden=why,
    )
