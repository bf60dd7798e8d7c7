"""Callouts: ask the servers of an address whether they would take mail for it, by the beginning of a message (Exim 44.22).

The hosts that routing found, or the transport's own, are asked one after the other until one says yes or no, in the manners of the transport:
port, interface, name, TLS, logging in. Nothing is ever sent behind RCPT; with `hold` the connection is kept (./held.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from pillarbox.flow.check.callout_cache import CalloutCache, DomainRecord
from pillarbox.flow.check.callout_wish import CalloutWish
from pillarbox.flow.check.held import Held, Holder
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.attempt.habits import Habits
from pillarbox.flow.transport.attempt.opening import open_session
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.trouble import Lost, Trouble, remote_error
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.smtp_hosts import NoHosts
from pillarbox.flow.transport.transport import bare_address
from pillarbox.flow.transport.transports.smtp import Smtp, Unfit
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.address import split_address
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.log_line import printable
from pillarbox.wire.smtp.commands import Command
from pillarbox.wire.smtp.events import Mail, Rcpt, Rset

Step = Literal["route", "mail", "recipient", "postmaster", "random"]


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
    random_local_part: Template | None
    transports: Mapping[str, object]


class Callouts:
    """Made once per configuration."""

    def __init__(self, settings: CalloutSettings, cache: CalloutCache, services: TransportServices) -> None:
        self._settings = settings
        self.cache = cache
        self.services = services
        self._clock = services.clock

    def transport_of(self, assignment: Assignment) -> Smtp | None:
        """Its transport, where there are hosts to ask."""
        transport = self._settings.transports.get(assignment.transport)
        has_hosts = isinstance(transport, Smtp) and bool(assignment.hosts or transport.hosts)
        return transport if has_hosts and isinstance(transport, Smtp) else None

    def can_ask(self, assignment: Assignment) -> bool:
        """There are hosts to ask."""
        return self.transport_of(assignment) is not None

    async def ask(
        self,
        assignment: Assignment,
        address: str,
        wish: CalloutWish,
        scope: Scope,
        sender: str,
        holder: Holder | None = None,
    ) -> Answer:
        """`sender`: for MAIL. Accepts what has no hosts to ask. `holder`: keeps the connection, or has one already."""
        transport = self.transport_of(assignment)
        if transport is None:
            return Answer(outcome="accept")
        here = scope.with_facets({Assignment: assignment, Candidate: assignment.candidate})
        now = self._clock.now()
        domain = split_address(address)[1].lower()
        try:
            if wish.uses_return_path:
                sender = await _return_path(transport, sender, here)
            key = f"{address}/<{sender}>" if sender else address
            known = DomainRecord() if wish.has_no_cache else self.cache.domain(domain, now)
            if not wish.has_no_cache:
                found = _known(known, self.cache.address(key, now), wish, sender)
                if found is not None:
                    return found
            told = bare_address(assignment, with_affixes=transport.rcpt_include_affixes)
            targets, habits = await transport.calling(assignment.hosts, here, self.services)
            if holder is not None and (held := holder.held) is not None:
                again = await _ask_on(held, transport, sender, targets, told)
                if again is not None and again.outcome == "accept":
                    held.assignments.append(assignment)
                    return again
                await holder.let_go()
                if again is not None and again.outcome == "reject":
                    return again
            random = await self._random(wish, known, scope)
            probe = _Probe(told, domain, sender, wish, random, _kept(known, wish))
            probe.size = _size_of(scope, transport) if wish.is_for_message else 0
            answer = await self._call(probe, targets, habits)
            if probe.open is not None:
                if holder is None:
                    await probe.open.quit()
                else:
                    holder.held = Held(probe.open, transport, habits, sender, assignment)
        except (ExpansionDeferred, ExpansionFailed, NoHosts, Unfit) as error:
            return Answer(outcome="defer", log=str(error))
        if not wish.has_no_cache:
            self._keep(probe, key, answer, now)
        return answer

    async def _random(self, wish: CalloutWish, known: DomainRecord, scope: Scope) -> str:
        """Empty: it is not to be asked, or the answer is known."""
        template = self._settings.random_local_part
        if not wish.is_random or known.random == "reject" or template is None:
            return ""
        return await template.expand(scope)

    async def _call(self, probe: _Probe, targets: list[Target], habits: Habits) -> Answer:
        habits = msgspec.structs.replace(
            habits, connect_timeout=probe.wish.connect, command_timeout=probe.wish.timeout
        )
        end = self._clock.monotonic() + probe.wish.maxwait
        answer = Answer(outcome="defer")
        for target in targets:
            if self._clock.monotonic() >= end:
                break
            answer = await self._call_one(target, probe, habits)
            if answer.outcome != "defer":
                break
        return answer

    async def _call_one(self, target: Target, probe: _Probe, habits: Habits) -> Answer:
        while True:
            opened = await self.open(target, habits)
            if isinstance(opened, Trouble):
                return _not_opened(opened, target)
            try:
                return await probe.run(opened, target)
            except _Again:
                continue
            finally:
                if probe.open is None:
                    await opened.quit()

    async def open(self, target: Target, habits: Habits) -> Session | Trouble:
        """A session in which nothing was asked yet. Raises ExpansionDeferred, ExpansionFailed."""
        manners = await habits.manners_for(target)
        opened = await open_session(target, manners, habits, self.services.network)
        if isinstance(opened, Trouble) or habits.log_in is None or manners.auth == "no":
            return opened
        trouble = await habits.log_in(opened, manners.auth == "require")
        if trouble is None:
            return opened
        await opened.quit()
        return trouble

    def _keep(self, probe: _Probe, key: str, answer: Answer, now: float) -> None:
        domain = probe.domain
        if probe.learned.result:
            self.cache.keep_domain(domain, probe.learned, now)
        if answer.step == "recipient" and answer.outcome != "defer":
            self.cache.keep_address(key, answer.outcome, now)
        elif answer.step == "postmaster":
            self.cache.keep_address(key, "accept", now)


def _kept(known: DomainRecord, wish: CalloutWish) -> DomainRecord:
    """What a callout leaves of what was known of the domain: only what it has to do with."""
    postmaster = known.postmaster if wish.postmaster_sender is not None else ""
    return DomainRecord(postmaster=postmaster, random=known.random if wish.is_random else "")


class _Again(Exception):
    """The host is willing, and yet has hung up: what was learned from it counts, and it is called once more."""


async def _return_path(transport: Smtp, sender: str, scope: Scope) -> str:
    """Raises ExpansionDeferred, ExpansionFailed."""
    if transport.return_path is None:
        return sender
    try:
        return await transport.return_path.expand(scope)
    except ForcedFailure:
        return sender


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
        self.size = 0
        """For SIZE= of MAIL; 0: none."""
        self.open: Session | None = None
        """The connection that is to be kept: the recipient has been taken there, and nothing else was asked."""
        self._stage = ""
        """What was said last."""

    def learn(self, **facts: str) -> None:
        self.learned = msgspec.structs.replace(self.learned, **facts)

    async def run(self, session: Session, target: Target) -> Answer:
        first = f"{self._random}@{self.domain}" if self._random else self.address
        try:
            mail, rcpt = await self._begin(session, first)
            if not mail.is_positive:
                return self._refused_mail(mail, target)
            self.learn(result="accept")
            assert rcpt is not None
            if self._random:
                if not rcpt.is_permanent:
                    return self._of_random(rcpt, target)
                self.learn(random="reject")
                self._random = ""
                rcpt = await self._begin_again(session, self.address)
            if not rcpt.is_positive:
                return _refusal(f"RCPT TO:<{self.address}>", rcpt, target, "recipient")
            self._stage = f"RCPT TO:<postmaster@{self.domain}>"
            if self.wish.postmaster_sender is not None and self.known.postmaster != "accept":
                return await self._ask_postmaster(session, target, self.wish.postmaster_sender)
        except Lost as lost:
            return _lost(lost, self._stage, target)
        if self.wish.holds:
            self.open = session
        return Answer(outcome="accept")

    async def _begin(self, session: Session, address: str) -> tuple[Reply, Reply | None]:
        """What is said to MAIL, and to RCPT, which is not sent when MAIL is known to be refused. Raises Lost."""
        commands: tuple[Command, Command] = (Mail(self.sender or None, size=self.size), Rcpt(address))
        self._stage = f"MAIL FROM:<{self.sender}>"
        if session.engine.is_pipelining:
            mail, rcpt = await session.ask(*commands)
            return mail.reply, rcpt.reply
        [mail] = await session.ask(commands[0])
        if not mail.reply.is_positive:
            return mail.reply, None
        self._stage = f"RCPT TO:<{address}>"
        [rcpt] = await session.ask(commands[1])
        return mail.reply, rcpt.reply

    async def _begin_again(self, session: Session, address: str) -> Reply:
        """What is said to RCPT of the next transaction. Raises Lost, _Again."""
        try:
            await session.ask(Rset())
            mail, rcpt = await self._begin(session, address)
        except Lost as lost:
            if lost.error == "timeout":
                raise
            raise _Again from None
        if rcpt is None or not mail.is_positive:
            raise _Again
        return rcpt

    def _of_random(self, reply: Reply, target: Target) -> Answer:
        """Taken, or put off."""
        if not reply.is_positive:
            return _refusal(f"RCPT TO:<{self._random}@{self.domain}>", reply, target, "random")
        self.learn(random="accept")
        return Answer(outcome="accept", step="random")

    def _refused_mail(self, reply: Reply, target: Target) -> Answer:
        stage = f"MAIL FROM:<{self.sender}>"
        if not reply.is_permanent:
            return _refusal(stage, reply, target, "mail")
        if not self.sender:
            self.learn(result="reject_null")
        log = f'{_where(target)} : response to "{stage}" was: {printable(reply.as_said)}'
        return msgspec.structs.replace(_refusal(stage, reply, target, "mail"), log=log)

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


async def _ask_on(
    held: Held, transport: Smtp, sender: str, targets: list[Target], address: str
) -> Answer | None:
    """About another recipient where the last one was taken. None: that cannot be done."""
    if not held.fits(transport, sender, targets):
        return None
    try:
        [answer] = await held.session.ask(Rcpt(address))
    except Lost:
        return None
    if answer.reply.is_positive:
        return Answer(outcome="accept")
    return _refusal(f"RCPT TO:<{address}>", answer.reply, held.session.target, "recipient")


def _size_of(scope: Scope, transport: Smtp) -> int:
    """What MAIL says of the message's size, where its client has said it."""
    facts = scope.facet(MessageFacts)
    if facts is None or facts.size <= 0 or transport.size_addition < 0:
        return 0
    return facts.size + transport.size_addition


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
