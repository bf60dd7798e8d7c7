"""pipe: hand the message to a command (Exim chapter 29).

    command → program that may be run → environment → run → what its end means

The command is divided into arguments before anything is expanded and run without a shell; with `use_shell` it is expanded as a whole and
given to one. It runs as whom Exim's chapter 23 says, through the root helper.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pillarbox.config.declare import derived, option
from pillarbox.config.errors import CombinationError, OptionError
from pillarbox.config.kinds import Duration, ExpandedList, Octal, Size, Words, parse_integer
from pillarbox.flow.facets.delivering import DeliveryFacts
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.batching import Batching
from pillarbox.flow.transport.command_line import CommandError, CommandLine, CommandOption
from pillarbox.flow.transport.ended import Command, Judgement, Manner, judge
from pillarbox.flow.transport.environment import environment_of, more_variables
from pillarbox.flow.transport.filtering import FilterFailed
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.outcomes import defer_all, deferred, delivered, failed, redirected_word
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.surroundings import Unfit
from pillarbox.flow.transport.transport import HeadersFailed, Prepared
from pillarbox.flow.transport.writing import Counted, FrameFailed, frame_of, written
from pillarbox.language.expand.errors import (
    ExpandSyntaxError,
    ExpansionDeferred,
    ExpansionFailed,
    ForcedFailure,
)
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import Tainted, is_tainted, plain
from pillarbox.language.expand.template import Template
from pillarbox.language.match.items import split
from pillarbox.language.printing import printable
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.reply import Reason
from pillarbox.ports.localwork import CommandEnd, CommandWork, WorkRefused
from pillarbox.wire.exim.error_numbers import unnamed

_PREFIX = "From ${if def:return_path{$return_path}{MAILER-DAEMON}} ${tod_bsdinbox}\n"
_APART = (
    ("log_output", "log_fail_output", "the {} "),
    ("return_output", "return_fail_output", "{} "),
    ("restrict_to_path", "use_shell", "{} "),
    ("allow_commands", "use_shell", "{} "),
)
"""Options that exclude each other, and how Exim names the transport."""


class Pipe(Batching, driver="pipe"):
    """Write to a command's standard input."""

    command: CommandOption | None = option(
        default=None, doc="The command and its arguments, expanded one by one."
    )
    allow_commands: ExpandedList | None = option(default=None, doc="Commands that may be run; unset: any.")
    check_string: str | None = option(
        default=None, doc="Lines that begin with this are escaped; unset: none."
    )
    environment: ExpandedList | None = option(default=None, doc="More environment variables: name=value.")
    escape_string: str | None = option(default=None, doc="What takes the place of check_string.")
    force_command: bool = option(
        default=False, doc="Run command even for addresses that a redirection made a pipe."
    )
    freeze_exec_fail: bool = option(default=False, doc="Freeze the message when the command cannot be run.")
    freeze_signal: bool = option(default=False, doc="Freeze the message when a signal kills the command.")
    ignore_status: bool = option(default=False, doc="Whatever the command returns, the message is delivered.")
    log_defer_output: bool = option(default=False, doc="Log its first line when it defers.")
    log_fail_output: bool = option(default=False, doc="Log its first line when it fails.")
    log_output: bool = option(default=False, doc="Log its first line always.")
    max_output: Size = option(default=20480, doc="Stop it when it writes more.")
    message_prefix: Template | None = option(
        default=None, doc="Text in front of the message; unset: the `From ` line of mbox."
    )
    message_suffix: Template | None = option(default=None, doc="Text behind it; unset: an empty line.")
    path: ExpandedList | None = option(
        default="/bin:/usr/bin", doc="PATH, and where to look for the command."
    )
    permit_coredump: bool = option(default=False, doc="Let it leave a core dump.")
    pipe_as_creator: bool = option(default=False, doc="Run it as who submitted the message.")
    restrict_to_path: bool = option(default=False, doc="Only commands in the path, without slashes.")
    return_fail_output: bool = option(default=False, doc="Return what it wrote when it fails.")
    return_output: bool = option(default=False, doc="Its output means failure, and is returned.")
    temp_errors: Words = option(default="75:73", doc="Exit codes that mean: try again later; `*`: all.")
    timeout: Duration = option(default="1h", doc="Stop it after this long.")
    timeout_defer: bool = option(default=False, doc="Then try again later.")
    umask: Octal = option(default=0o022, doc="umask of the command.")
    use_bsmtp: bool = option(default=False, doc="Write batch SMTP.")
    use_classresources: bool = option(
        default=False, doc="Heed the resource limits of the user's login class, where the system has them."
    )
    use_crlf: bool = option(default=False, doc="End lines with CRLF.")
    use_shell: bool = option(default=False, doc="Run it by the shell.")

    command_line: CommandLine | None = derived(init=False)
    """`command`, divided; None with `use_shell` and where there is none."""
    shell_command: Template | None = derived(init=False)
    """`command` as a whole, with `use_shell`."""
    manner: Manner = derived(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check()
        put = object.__setattr__
        is_mbox = not self.use_bsmtp
        if self.message_prefix is None:
            put(self, "message_prefix", Template.parse(_PREFIX if is_mbox else ""))
        if self.message_suffix is None:
            put(self, "message_suffix", Template.parse("\n" if is_mbox else ""))
        if self.use_bsmtp:
            put(self, "check_string", ".")
            put(self, "escape_string", "..")
        put(self, "command_line", None if self.use_shell else self._command("command", self._who))
        put(self, "shell_command", self._for_shell())
        put(self, "manner", self._manner())

    def _for_shell(self) -> Template | None:
        if not self.use_shell or self.command is None:
            return None
        try:
            return Template.parse(self.command.source)
        except ExpandSyntaxError as error:
            raise OptionError(error.message, "command") from None

    def _check(self) -> None:
        for one, other, told in _APART:
            if getattr(self, one) and getattr(self, other):
                raise CombinationError(f"both {one} and {other} set for {told.format(self.name)}transport")
        if self.pipe_as_creator and (self.user is not None or self.group is not None):
            reason = f"both pipe_as_creator and an explicit uid/gid are set for the {self.name} transport"
            raise CombinationError(reason)
        codes = self.temp_errors.strip()
        if codes != "*" and codes.strip("0123456789: \t"):
            reason = f"temp_errors must be a list of numbers or an asterisk for the {self.name} transport"
            raise CombinationError(reason)

    def _manner(self) -> Manner:
        codes = [item.strip() for item in self.temp_errors.split(":")]
        return Manner(
            name=self.name,
            ignore_status=self.ignore_status,
            freeze_exec_fail=self.freeze_exec_fail,
            freeze_signal=self.freeze_signal,
            timeout_defer=self.timeout_defer,
            temp_errors=None if codes == ["*"] else frozenset(parse_integer(code) for code in codes if code),
        )

    @property
    def _who(self) -> str:
        return f"{self.name} transport"

    @property
    def runs_as_creator(self) -> bool:
        return self.pipe_as_creator

    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        try:
            return await self._deliver(job, services)
        except FilterFailed as failure:
            if failure.is_panic and not (failure.is_permanent and self.return_output):
                return defer_all(job, Reason(str(failure)), is_panic=True)
            is_final = not self.timeout_defer if failure.is_timed_out else failure.is_permanent
            return _all(
                job,
                Judgement("failed" if is_final else "deferred", str(failure)),
                self.retry_key_of,
                peer=_UNTOLD,
            )
        except CommandError as error:
            if error.is_panic and not error.is_permanent:
                return defer_all(job, Reason(str(error)), is_panic=True)
            return _all(
                job, Judgement("failed" if error.is_permanent else "deferred", str(error)), self.retry_key_of
            )
        except HeadersFailed as error:
            return defer_all(job, Reason(str(error)), is_panic=True)
        except FrameFailed as error:
            is_panic = isinstance(error.why, ExpansionFailed)
            return defer_all(job, Reason(f"{error}: {error.why}"), is_panic=is_panic)
        except Unfit as error:
            return defer_all(job, Reason(str(error)), key_of=self.retry_key_of, error=unnamed(error.number))
        except (ExpansionDeferred, ExpansionFailed, WorkRefused) as error:
            return defer_all(job, Reason(str(error)), key_of=self.retry_key_of)

    async def _deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        prepared = await self.prepare(job, services)
        scope = prepared.scope
        source = self._source(job)
        if source is None:
            reason = f"no command specified for {self.name} transport"
            return defer_all(job, Reason(reason), key_of=self.retry_key_of)
        path = await self._text(self.path, scope, may_fail=True)
        arguments = await self._arguments(job, source, prepared, path, services)
        environment = environment_of(job, prepared.sender, prepared.surroundings.home, path, services)
        if self.environment is not None:
            environment += more_variables(
                item for item, _ in split(await self._text(self.environment, scope))
            )
        frame = await frame_of(self, scope, prepared.sender, self.addresses_of(job))
        copy = await self.copy_of(job, prepared, services)
        work = CommandWork(
            actor=prepared.surroundings.actor,
            arguments=arguments,
            environment=tuple((plain(name), plain(value)) for name, value in environment),
            directory=prepared.surroundings.directory,
            umask=self.umask,
            timeout=self.timeout,
            max_output=self.max_output,
            permits_core=self.permit_coredump,
        )
        content = Counted(written(copy, frame, self))
        end = await services.local_work.run(work, content)
        command = Command(source, arguments[0], prepared.surroundings.directory)
        return self._outcomes(job, end, command, services, size=content.size)

    def _source(self, job: Job) -> str | None:
        """The command as it is written: redirection's, unless `force_command`, else our own. Raises CommandError."""
        redirected = _redirected(job)
        if redirected and not self.force_command:
            if is_tainted(redirected):
                reason = f"Tainted '{redirected}' (command for {self._who}) not permitted"
                raise CommandError(reason, is_panic=True)
            return redirected
        return self.command.source if self.command is not None else None

    async def _arguments(
        self, job: Job, source: str, prepared: Prepared, path: str, services: TransportServices
    ) -> tuple[str, ...]:
        """Raises CommandError, ExpansionFailed, ExpansionDeferred."""
        first, scope = job.assignments[0], prepared.scope
        addresses = [assignment.address for assignment in job.assignments]
        is_redirected = bool(first.file) and not self.force_command
        if self.use_shell:
            return ("/bin/sh", "-c", await self._shell_text(source, first, scope))
        if not is_redirected and self.command_line is not None:
            arguments = await self.command_line.arguments(scope, addresses, _redirected(job) or None)
        else:
            arguments = await self._redirected_arguments(source, first, scope)
        if not arguments:
            raise CommandError(f"no command specified for {self.name} transport")
        program = await self._program(arguments[0], source, path, prepared, services)
        return (program, *arguments[1:])

    async def _redirected_arguments(self, source: str, first: Assignment, scope: Scope) -> tuple[str, ...]:
        """Those of a list are taken as they are; a filter's are expanded. Whoever wrote it is to blame, so they fail."""
        try:
            line = CommandLine.parse(source, self._who, expands=first.expands_command)
            seen, strict = as_in_filter(scope, first), as_in_filter(scope, first, is_strict=True)
            return await line.arguments(seen, (), strict_scope=strict)
        except CommandError as error:
            raise CommandError(str(error), is_permanent=True) from None

    async def _shell_text(self, source: str, first: Assignment, scope: Scope) -> str:
        """Raises CommandError, ExpansionDeferred."""
        is_redirected = bool(first.file) and not self.force_command
        if is_redirected and not first.expands_command:
            return source
        try:
            if is_redirected:
                text = await Template.parse(source).expand(as_in_filter(scope, first, is_strict=True))
            else:
                facts = msgspec.structs.replace(
                    scope.facet(DeliveryFacts) or DeliveryFacts(), names_addresses=True
                )
                named = scope.with_facet(DeliveryFacts, facts)
                text = await self.shell_command.expand(named) if self.shell_command else ""
        except (ExpansionFailed, ExpandSyntaxError) as error:
            reason = f'Expansion of command "{source}" in {self.name} transport failed: {error}'
            raise CommandError(reason, is_permanent=is_redirected, is_panic=True) from None
        if is_tainted(text):
            raise CommandError(f"Tainted command for {self._who}: '{text}'", is_permanent=True)
        return plain(text)

    async def _program(
        self, name: str, source: str, path: str, prepared: Prepared, services: TransportServices
    ) -> str:
        """Where the program is, when it may be run. Raises CommandError."""
        await self._check_permitted(name, source, prepared.scope)
        if name.startswith("/"):
            return name
        for directory, _ in split(path):
            found = f"{directory}/{name}"
            if not directory.startswith("/"):
                continue
            seen = await services.local_work.look(found, prepared.surroundings.actor)
            if not seen.error:
                return found
        raise CommandError(f'"{name}" command not found for {self.name} transport', is_permanent=True)

    async def _check_permitted(self, name: str, source: str, scope: Scope) -> None:
        """`allow_commands`, `restrict_to_path`. Raises CommandError."""
        if self.allow_commands is not None:
            allowed = await self._text(self.allow_commands, scope)
            if any(name == item for item, _ in split(allowed)):
                return
            if not self.restrict_to_path:
                reason = f'"{name}" command not permitted by {self.name} transport'
                raise CommandError(reason, is_permanent=True)
        if self.restrict_to_path and "/" in name:
            reason = (
                f'"/" found in "{source}" (command for {self.name} transport) - failed for security reasons'
            )
            raise CommandError(reason, is_permanent=True)

    async def _text(self, template: Template | None, scope: Scope, *, may_fail: bool = False) -> str:
        """`may_fail`: by force, which leaves nothing. Raises CommandError."""
        if template is None:
            return ""
        try:
            return await template.expand(scope)
        except ExpansionFailed as error:
            if may_fail and isinstance(error, ForcedFailure):
                return ""
            reason = f'failed to expand string "{template.source}" for {self.name} transport: {error}'
            raise CommandError(reason) from None

    def _outcomes(
        self, job: Job, end: CommandEnd, command: Command, services: TransportServices, *, size: int
    ) -> list[Outcome]:
        is_read = bool(end.output) and not job.is_shadow
        returns = self.return_output and is_read
        judgement = judge(end, self.manner, command, is_returning=returns)
        is_bad = judgement.result == "failed"
        if is_read and (
            self.log_output
            or (self.log_fail_output and is_bad)
            or (self.log_defer_output and judgement.result == "deferred")
            or (self.log_defer_output and returns and end.code in _codes(self.manner))
        ):
            line = end.output.partition(b"\n")[0].decode("utf-8", "surrogateescape").rstrip()
            told = "\t".join(map(printable, line.split("\t")))
            who = job.assignments[0].address
            services.journal.main(f"{job.envelope.id} <{who}>: {self.name} transport output: {told}")
        has_reader = job.envelope.sender is not None
        sends = is_bad and is_read and has_reader and (returns or self.return_fail_output)
        peer = "" if judgement.text == _RETURNED else _UNTOLD
        return _all(
            job, judgement, self.retry_key_of, output=end.output if sends else b"", peer=peer, size=size
        )


def _redirected(job: Job) -> str:
    """The command that redirection named, without its bar."""
    return job.assignments[0].file.removeprefix("|").lstrip()


_RETURNED = "return message generated"
_UNTOLD = "local delivery failed"


def _codes(manner: Manner) -> frozenset[int]:
    return manner.temp_errors or frozenset()


def as_in_filter(scope: Scope, assignment: Assignment, *, is_strict: bool = False) -> Scope:
    """The scope as a filter had it when it named the command. `is_strict`: what it found in the message is tainted, too."""
    kind = Tainted if is_strict else plain
    facts = scope.facet(DeliveryFacts) or DeliveryFacts()
    facts = msgspec.structs.replace(facts, thisaddress=kind(assignment.this_address))
    copy = scope.with_facet(DeliveryFacts, facts)
    copy.captures = [kind(capture) for capture in assignment.captures]
    return copy


def _all(
    job: Job,
    judgement: Judgement,
    key_of: Callable[[Assignment], str],
    *,
    output: bytes = b"",
    peer: str = "",
    size: int = 0,
) -> list[Outcome]:
    """The same for every address; the output is told once."""
    outcomes: list[Outcome] = []
    for number, assignment in enumerate(job.assignments):
        match judgement.result:
            case "delivered":
                word = redirected_word(assignment) or assignment.bare_local_part
                outcomes.append(delivered(assignment, log_word=word, is_additional=number > 0, size=size))
            case "failed":
                reason = Reason(judgement.text, peer)
                outcomes.append(failed(assignment, reason, output=b"" if number else output))
            case "deferred" | "frozen" as result:
                reason = Reason(judgement.text, peer)
                is_frozen = result == "frozen"
                keys, error = (key_of(assignment),), judgement.error
                outcomes.append(
                    deferred(assignment, reason, is_frozen=is_frozen, retry_keys=keys, error=error)
                )
    return outcomes
