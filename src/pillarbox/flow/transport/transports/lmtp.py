"""lmtp: to a delivery agent on this machine, over a UNIX socket or a command's pipe (Exim chapter 28, RFC 2033).

A local transport: it runs as whom Exim's chapter 23 says, and its retry times are the addresses'. The conversation is in ../local_agent.py.

Known gap: the socket is connected to with our own rights, whoever the user is.
"""

from __future__ import annotations

from pillarbox.config.declare import derived, option
from pillarbox.config.errors import CombinationError
from pillarbox.config.kinds import Duration
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.batching import Batching
from pillarbox.flow.transport.command_line import CommandError, CommandLine, CommandOption
from pillarbox.flow.transport.filtering import FilterFailed
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.local_agent import Said, hand_over
from pillarbox.flow.transport.outcomes import defer_all, deferred, delivered, failed
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.surroundings import Unfit
from pillarbox.flow.transport.transport import Prepared
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.template import Template
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.reply import Reason
from pillarbox.ports.localwork import CommandWork, WorkRefused
from pillarbox.ports.network import Connection, DialError
from pillarbox.wire.exim.error_numbers import NOT_KNOWN, unnamed
from pillarbox.wire.smtp.client import ClientEngine
from pillarbox.wire.smtp.events import Mail, Rcpt

_UMASK = 0o077


class Lmtp(Batching, driver="lmtp"):
    """Deliver through a socket or a command."""

    socket: Template | None = option(default=None, doc="Path of the UNIX socket.")
    command: CommandOption | None = option(
        default=None,
        doc="A command to speak with in place of a socket; its arguments are expanded one by one.",
    )
    timeout: Duration = option(default="5m", doc="Wait this long for connecting and for each reply.")
    ignore_quota: bool = option(default=False, doc="Ask the agent to deliver whatever the quota.")
    command_line: CommandLine | None = derived(init=False)
    """`command`, divided."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.socket is None) is (self.command is None):
            reason = f"one (and only one) of command or socket must be set for the {self.name} transport"
            raise CombinationError(reason)
        object.__setattr__(self, "command_line", self._command("command", f"{self.name} transport"))

    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        try:
            return await self._deliver(job, services)
        except CommandError as error:
            if error.is_permanent:
                return [failed(one, Reason(str(error))) for one in job.assignments]
            return defer_all(job, Reason(str(error)), key_of=self.retry_key_of, is_panic=error.is_panic)
        except Unfit as error:
            return defer_all(job, Reason(str(error)), key_of=self.retry_key_of, error=unnamed(error.number))
        except DialError as error:
            return defer_all(job, Reason(str(error)), key_of=self.retry_key_of, error=unnamed(NOT_KNOWN))
        except (ExpansionDeferred, ExpansionFailed, FilterFailed, WorkRefused) as error:
            return defer_all(job, Reason(str(error)), key_of=self.retry_key_of)

    async def _deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        prepared = await self.prepare(job, services)
        copy = await self.copy_of(job, prepared, services)
        mail = Mail(prepared.sender, smtputf8=job.envelope.smtputf8)
        rcpts = [Rcpt(address, ignores_quota=self.ignore_quota) for address in self.addresses_of(job)]
        connection = await self._connect(job, prepared, services)
        session = Session(connection, ClientEngine(lmtp=True), Target("", "", 0), self.timeout)
        try:
            said = await hand_over(
                session, services.hostname, mail, rcpts, copy.pieces(), timeout=self.timeout
            )
        finally:
            await session.quit()
        return self._outcomes(job, said)

    async def _connect(self, job: Job, prepared: Prepared, services: TransportServices) -> Connection:
        """Raises DialError, WorkRefused, CommandError, ExpansionFailed, ExpansionDeferred."""
        if self.socket is not None:
            path = await self.socket.expand(prepared.scope)
            try:
                return await services.network.connect_unix(path, timeout=self.timeout)
            except DialError as error:
                reason = f"Failed to connect to socket {path} for {self.name} transport: {error}"
                raise DialError(error.error, reason) from error
        assert self.command_line is not None
        addresses = [assignment.address for assignment in job.assignments]
        surroundings = prepared.surroundings
        work = CommandWork(
            actor=surroundings.actor,
            arguments=await self.command_line.arguments(prepared.scope, addresses),
            directory=surroundings.directory,
            umask=_UMASK,
        )
        return await services.local_work.converse(work)

    def _outcomes(self, job: Job, said: list[Said]) -> list[Outcome]:
        """Exim makes the first address that was taken the one with `=>`."""
        outcomes: list[Outcome] = []
        has_delivered = False
        for assignment, result in zip(job.assignments, said, strict=True):
            reason = Reason(result.text, result.text)
            if not result.text:
                word = assignment.bare_local_part
                outcomes.append(
                    delivered(assignment, log_word=word, reply=result.reply, is_additional=has_delivered)
                )
                has_delivered = True
            elif result.is_permanent:
                outcomes.append(failed(assignment, reason, reply=result.reply))
            else:
                code = str(result.reply.code) if result.reply is not None else ""
                keys = (self.retry_key_of(assignment),)
                error = "data_4xx" if code else unnamed(NOT_KNOWN)
                outcomes.append(deferred(assignment, reason, error=error, error_detail=code, retry_keys=keys))
        return outcomes
