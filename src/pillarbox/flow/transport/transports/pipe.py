"""pipe: hand the message to a command (Exim chapter 29). Declared; it does not run yet."""

from __future__ import annotations

from collections.abc import Iterator

from pillarbox.config.declare import Unready, option
from pillarbox.config.errors import CombinationError
from pillarbox.config.kinds import Duration, ExpandedList, Octal, Size, Words
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.outcomes import defer_all
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.transport import Transport
from pillarbox.language.expand.template import Template
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.reply import Reason

_PREFIX = "From ${if def:return_path{$return_path}{MAILER-DAEMON}} ${tod_bsdinbox}\n"
_APART = (
    ("log_output", "log_fail_output", "the {} "),
    ("return_output", "return_fail_output", "{} "),
    ("restrict_to_path", "use_shell", "{} "),
    ("allow_commands", "use_shell", "{} "),
)
"""Options that exclude each other, and how Exim names the transport."""


class Pipe(Transport, driver="pipe", inert="refused"):
    """Write to a command's standard input."""

    command: Template | None = option(default=None, doc="The command and its arguments, expanded one by one.")
    allow_commands: ExpandedList | None = option(default=None, doc="Commands that may be run; unset: any.")
    batch_id: Template | None = option(
        default=None, doc="Only addresses for which this expands to the same share a delivery."
    )
    batch_max: int = option(default=1, doc="Addresses in one delivery.")
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

    def unready(self) -> Iterator[Unready]:
        yield from super().unready()
        if self.use_shell:
            yield Unready("use_shell", "commands are run by their arguments, never by a shell")

    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        return defer_all(job, Reason(f"{self.name} transport: the driver pipe cannot run yet"))
