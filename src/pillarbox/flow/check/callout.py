"""Callouts: ask the servers of an address whether they would take mail for it, by the beginning of a message (Exim 44.22).

The hosts that routing found are asked one after the other until one says yes or no. Nothing is ever sent behind RCPT. Known gaps: no
authentication, `hold` keeps no connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from pillarbox.flow.check.callout_cache import CalloutCache, DomainRecord
from pillarbox.flow.check.callout_wish import CalloutWish
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.attempt.habits import Habits, Manners
from pillarbox.flow.transport.attempt.opening import open_session
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target, targets_of
from pillarbox.flow.transport.attempt.trouble import Lost, Trouble, remote_error
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.address import split_address
from pillarbox.mail.reply import Reply
from pillarbox.ports.clock import Clock
from pillarbox.ports.network import Network
from pillarbox.wire.exim.log_line import printable
from pillarbox.wire.smtp.events import Mail, Rcpt, Rset

_PORTS = {"smtps": 465, "submission": 587, "submissions": 465, "lmtp": 24}
Step = Literal["route", "mail", "recipient", "postmaster", "random"]


class RemoteTransport(Protocol):
    """What a callout wants to know of a transport."""

    @property
    def port(self) -> Template | None: ...

    @property
    def helo_data(self) -> Template | None: ...


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    outcome: Literal["accept", "reject", "defer"]
    step: Step = "recipient"
    log: str = ""
    """`mx.example [192.0.2.1] : SMTP error …`; empty when an earlier answer is used again."""
    said: str = ""
    """The server's own words, or where they come from; for the peer."""
    details: str = ""
    """`Called: …`, `Sent: …`, `Response: …`: for the peer whose sender was refused."""


class CalloutSettings(msgspec.Struct, frozen=True, kw_only=True):
    hostname: str
    random_local_part: Template | None
    transports: Mapping[str, object]


async def _port_of(transport: object, scope: Scope) -> int:
    """Where its deliveries go to. Raises ExpansionDeferred, ExpansionFailed."""
    template: Template | None = getattr(transport, "port", None)
    text = (await template.expand(scope)).strip() if template is not None else ""
    return int(text) if text.isdigit() else _PORTS.get(text, 25)


class Callouts:
    """Made once per configuration."""

    def __init__(
        self, settings: CalloutSettings, cache: CalloutCache, network: Network, clock: Clock
    ) -> None:
        self._settings = settings
        self._cache = cache
        self._network = network
        self._clock = clock

    async def ask(
        self, assignment: Assignment, address: str, wish: CalloutWish, scope: Scope, sender: str
    ) -> Answer:
        """`sender`: for MAIL. Accepts what has no hosts to ask."""
        if not assignment.hosts:
            return Answer(outcome="accept")
        now = self._clock.now()
        domain = split_address(address)[1].lower()
        key = f"{address}/<{sender}>" if sender else address
        known = DomainRecord() if wish.has_no_cache else self._cache.domain(domain, now)
        if not wish.has_no_cache:
            found = _known(known, self._cache.address(key, now), wish, sender)
            if found is not None:
                return found
        try:
            probe = _Probe(address, domain, sender, wish, await self._random(wish, scope), known)
            answer = await self._call(probe, assignment, scope)
        except (ExpansionDeferred, ExpansionFailed) as error:
            return Answer(outcome="defer", log=str(error))
        if not wish.has_no_cache:
            self._keep(probe, key, answer, now)
        return answer

    async def _random(self, wish: CalloutWish, scope: Scope) -> str:
        template = self._settings.random_local_part
        return await template.expand(scope) if wish.is_random and template is not None else ""

    async def _call(self, probe: _Probe, assignment: Assignment, scope: Scope) -> Answer:
        transport = self._settings.transports.get(assignment.transport)
        port = await _port_of(transport, scope)
        habits = await self._habits(transport, probe.wish, scope)
        end = self._clock.monotonic() + probe.wish.maxwait
        answer = Answer(outcome="defer")
        for target in targets_of(assignment.hosts, port):
            if self._clock.monotonic() >= end:
                break
            answer = await self._call_one(target, probe, habits)
            if answer.outcome != "defer":
                break
        return answer

    async def _habits(self, transport: object, wish: CalloutWish, scope: Scope) -> Habits:
        """Raises ExpansionDeferred, ExpansionFailed."""
        helo: Template | None = getattr(transport, "helo_data", None)

        async def manners_for(target: Target) -> Manners:
            return Manners(pipelining=False)

        return Habits(
            helo=self._settings.hostname if helo is None else await helo.expand(scope),
            manners_for=manners_for,
            transport="callout",
            lmtp=getattr(transport, "speaks", "smtp") == "lmtp",
            connect_timeout=wish.connect,
            command_timeout=wish.timeout,
        )

    async def _call_one(self, target: Target, probe: _Probe, habits: Habits) -> Answer:
        opened = await open_session(target, await habits.manners_for(target), habits, self._network)
        if isinstance(opened, Trouble):
            return _not_opened(opened, target)
        try:
            return await probe.run(opened, target)
        finally:
            await opened.quit()

    def _keep(self, probe: _Probe, key: str, answer: Answer, now: float) -> None:
        domain = probe.domain
        if probe.known != probe.learned:
            self._cache.keep_domain(domain, probe.learned, now)
        if answer.step == "recipient" and answer.outcome != "defer":
            self._cache.keep_address(key, answer.outcome, now)
        elif answer.step == "postmaster":
            self._cache.keep_address(key, "accept", now)


class _Probe:
    """One address, asked of one host after the other; `learned` is what is known of the domain by then."""

    def __init__(
        self,
        address: str,
        domain: str,
        sender: str,
        wish: CalloutWish,
        random_local_part: str,
        known: DomainRecord,
    ) -> None:
        self.address = address
        self.domain = domain
        self.sender = sender
        self.wish = wish
        self.known = self.learned = known
        self._random = random_local_part

    def learn(self, **facts: str) -> None:
        self.learned = msgspec.structs.replace(self.learned, **facts)

    async def run(self, session: Session, target: Target) -> Answer:
        stage = f"MAIL FROM:<{self.sender}>"
        try:
            [mail] = await session.ask(Mail(self.sender or None))
            if not mail.reply.is_positive:
                return self._refused_mail(mail.reply, target)
            self.learn(result="accept")
            if self._random:
                stage = f"RCPT TO:<{self._random}@{self.domain}>"
                if await self._accepts_anything(session):
                    return Answer(outcome="accept", step="random")
            stage = f"RCPT TO:<{self.address}>"
            [rcpt] = await session.ask(Rcpt(self.address))
            if not rcpt.reply.is_positive:
                return _refusal(stage, rcpt.reply, target, "recipient")
            stage = f"RCPT TO:<postmaster@{self.domain}>"
            if self.wish.postmaster_sender is not None and self.known.postmaster != "accept":
                return await self._ask_postmaster(session, target, self.wish.postmaster_sender)
        except Lost as lost:
            return _lost(lost, stage, target)
        return Answer(outcome="accept")

    def _refused_mail(self, reply: Reply, target: Target) -> Answer:
        stage = f"MAIL FROM:<{self.sender}>"
        if not reply.is_permanent:
            return _refusal(stage, reply, target, "mail")
        if not self.sender:
            self.learn(result="reject_null")
        log = f'{_where(target)} : response to "{stage}" was: {printable(reply.as_said)}'
        return msgspec.structs.replace(_refusal(stage, reply, target, "mail"), log=log)

    async def _accepts_anything(self, session: Session) -> bool:
        """Raises Lost. Afterwards a transaction is open in which no recipient was named."""
        [rcpt] = await session.ask(Rcpt(f"{self._random}@{self.domain}"))
        if rcpt.reply.is_positive:
            self.learn(random="accept")
            return True
        if rcpt.reply.is_permanent:
            self.learn(random="reject")
        await session.ask(Rset())
        await session.ask(Mail(self.sender or None))
        return False

    async def _ask_postmaster(self, session: Session, target: Target, sender: str) -> Answer:
        """Raises Lost."""
        await session.ask(Rset())
        await session.ask(Mail(sender or None))
        addresses = [f"postmaster@{self.domain}", "postmaster"][: 2 if self.wish.is_full_postmaster else 1]
        replies: list[Reply] = []
        for address in addresses:
            [answer] = await session.ask(Rcpt(address))
            replies.append(answer.reply)
            if answer.reply.is_positive:
                self.learn(postmaster="accept")
                return Answer(outcome="accept")
        if replies[-1].is_permanent:
            self.learn(postmaster="reject")
        return _refusal(f"RCPT TO:<{addresses[-1]}>", replies[-1], target, "postmaster")


def _known(domain: DomainRecord, address: str, wish: CalloutWish, sender: str) -> Answer | None:
    """What the cache answers. None: it must be asked."""
    if domain.result == "reject" or (domain.result == "reject_null" and not sender):
        return Answer(outcome="reject", step="mail", said="(result of an earlier callout reused).")
    if wish.is_random and domain.random == "accept":
        return Answer(outcome="accept", step="random")
    if wish.postmaster_sender is not None:
        if domain.postmaster == "reject":
            return Answer(
                outcome="reject", step="postmaster", said="(result of earlier verification reused)."
            )
        if domain.postmaster != "accept" and address != "reject":
            return None
    if address == "accept":
        return Answer(outcome="accept")
    if address == "reject":
        return Answer(outcome="reject", said="Previous (cached) callout verification failure")
    return None


def _not_opened(trouble: Trouble, target: Target) -> Answer:
    reply = trouble.reply
    if reply is None or not reply.is_permanent:
        return Answer(outcome="defer", step="mail", log=f"{_where(target)} : {printable(trouble.text)}")
    stage = trouble.text.partition(" after ")[2].partition(": ")[0]
    return _refusal(stage, reply, target, "mail")


def _refusal(stage: str, reply: Reply, target: Target, step: Step) -> Answer:
    said = reply.as_said
    return Answer(
        outcome="reject" if reply.is_permanent else "defer",
        step=step,
        log=f"{_where(target)} : {printable(remote_error(stage, reply))}",
        said=said,
        details=f"Called:   {target.address}\nSent:     {stage}\nResponse: {said}",
    )


def _lost(lost: Lost, stage: str, target: Target) -> Answer:
    text = f'response to "{stage}" was: connection dropped'
    if lost.error != "lost_connection":
        text = lost.after(stage).text
    return Answer(outcome="defer", log=f"{_where(target)} : {printable(text)}")


def _where(target: Target) -> str:
    return f"{target.name} [{target.address}]"
