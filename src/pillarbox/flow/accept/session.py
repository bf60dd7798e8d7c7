"""One SMTP or LMTP conversation, from the banner to the last reply.

The engine says what the client wants, one file in `smtp/` decides each verb, and this loop carries bytes. Replies go out when the client has
nothing more to say for now, so a pipelined group costs one write. Whatever goes wrong costs this connection only.
"""

from __future__ import annotations

import importlib
import pkgutil
import traceback
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from typing import TypeVar

import msgspec

from pillarbox.flow.accept.live import LiveFacts
from pillarbox.flow.accept.local.caller import Caller
from pillarbox.flow.accept.naming import note_name
from pillarbox.flow.accept.parting import ended, hung_up, lost, not_quit
from pillarbox.flow.accept.policy import AcceptPolicy, AcceptServices, Where
from pillarbox.flow.accept.rejection import fitting, misfit, reply_to
from pillarbox.flow.accept.securing import log_in_by_certificate, secure, take_up
from pillarbox.flow.accept.slowing import Brake
from pillarbox.flow.accept.transaction import Transaction
from pillarbox.flow.accept.welcome import welcome
from pillarbox.flow.check.acl.state import USUAL_TARGETS, AclState, CheckMemory
from pillarbox.flow.check.verdict import Accept, Defer, Deny, Discard, Drop, Verdict
from pillarbox.flow.connection_id import new_connection_id
from pillarbox.flow.facets.session import ProxyFacts, SessionFacts, TlsInFacts
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.host_names import ClientName
from pillarbox.language.match.hosts import HostList, HostSubject
from pillarbox.language.match.local_host import LocalHost
from pillarbox.mail.envelope import Origin
from pillarbox.mail.reply import Reason, Reply
from pillarbox.ports.logins import Exchange
from pillarbox.ports.network import DialError, ServedConnection, TlsSession
from pillarbox.wire.exim.log_line import (
    host_and_ident,
    interface,
    login,
    peer,
    printable,
    security,
    sending_host,
)
from pillarbox.wire.smtp.events import Closed, Need
from pillarbox.wire.smtp.server import ServerEngine

E = TypeVar("E")

HANDLERS: dict[type, Callable[[Session, object], Awaitable[None]]] = {}
CLOSED_BY_DEFAULT: frozenset[Where] = frozenset({"rcpt", "vrfy", "expn"})
SAYS_ACCEPTED: Mapping[Where, int] = {
    "connect": 220,
    "etrn": 250,
    "helo": 250,
    "mail": 250,
    "predata": 354,
    "quit": 221,
    "rcpt": 250,
}
"""Where the text of an ACL that accepts is told the client, and with what code."""
VRFY_REFUSED = 252
"""Texts for VRFY may have codes of any class."""
DAWDLING = 512
"""Bytes. Fewer at once without the end of a line do not count as progress: `smtp_receive_timeout` is for a line, not for a byte."""
LINES_OF_A_LOGIN = 8
"""More are not made up for a client that has gone in the middle of one."""
LAST_WORDS = 10.0
"""Seconds that a peer has to take the last reply."""


def verb(event: type[E]) -> Callable[[Callable[[Session, E], Awaitable[None]]], object]:
    """Register what is done when the client says this."""

    def register(handle: Callable[[Session, E], Awaitable[None]]) -> object:
        HANDLERS[event] = handle  # type: ignore[assignment]
        return handle

    return register


@cache
def load_verbs() -> None:
    """Import every file of smtp/."""
    package = importlib.import_module("pillarbox.flow.accept.smtp")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


class Session:
    """`run` is the whole life of it."""

    __slots__ = (
        "began",
        "begins_with_tls",
        "client",
        "connections",
        "engine",
        "exchange",
        "exchange_name",
        "hostname",
        "is_dropped",
        "is_logged",
        "is_tls_on_connect",
        "live",
        "local",
        "log_targets",
        "mail_brake",
        "memory",
        "messages",
        "messages_max",
        "origin",
        "own_name",
        "policy",
        "proxy",
        "rcpt_brake",
        "receive_timeout",
        "received",
        "services",
        "stream",
        "tls",
        "transaction",
        "variables",
    )

    def __init__(
        self,
        stream: ServedConnection,
        policy: AcceptPolicy,
        services: AcceptServices,
        *,
        is_tls: bool = False,
        local: Caller | None = None,
        connections: int = 0,
    ) -> None:
        """`local`: the program on this machine that talks to us through a pipe (`-bs`, Exim 5.3). `connections`: how many there are, with
        this one."""
        self.local = local
        self.stream = stream
        self.policy = policy
        self.services = services
        self.engine = ServerEngine(policy.engine, is_tls=is_tls)
        self.client = ClientName(partial(note_name, self))
        connection_id = new_connection_id()
        address, port = stream.peer_address
        local_address, local_port = stream.local_address
        self.origin = Origin(
            protocol="smtp",
            host_address=address,
            host_port=port,
            interface_address=local_address,
            interface_port=local_port,
            tls_cipher=stream.tls_cipher,
            tls_sni=stream.tls_sni,
            connection_id=connection_id,
        )
        if local is not None:
            self.origin = Origin(
                protocol="local-smtp",
                ident=local.login,
                authenticated_id="" if local.is_trusted else local.login,
                caller_uid=local.uid,
                caller_gid=local.gid,
                connection_id=connection_id,
            )
        self.client.follow(self.origin.host_address, "")
        self.tls: TlsInFacts | None = None
        """What is known of the TLS session besides."""
        self.begins_with_tls = is_tls and not stream.tls_cipher
        self.is_tls_on_connect = is_tls
        self.live = LiveFacts(self.engine, self.client)
        self.live.connection_id = connection_id
        self.hostname = policy.primary_hostname
        """Ours: `smtp_active_hostname`."""
        self.own_name: LocalHost | None = None
        """The facet that goes with it; None: the usual one."""
        self.messages_max = policy.messages_max
        self.receive_timeout = policy.receive_timeout
        self.began = services.clock.monotonic()
        self.connections = connections
        self.live.count_at_connection_start = connections
        self.proxy: ProxyFacts | None = None
        """Somebody is between the client and us."""
        self.mail_brake: Brake | None = None
        self.rcpt_brake: Brake | None = None
        """This client is slowed down."""
        self.is_dropped = False
        """An ACL has said `drop`."""
        self.is_logged = True
        """`smtp_connection` lines are wanted of this client."""
        self.transaction: Transaction | None = None
        self.exchange: Exchange | None = None
        self.exchange_name = ""
        self.messages = 0
        """MAIL commands so far."""
        self.received = 0
        """Messages that we have taken."""
        self.memory = CheckMemory()
        """What ACLs remember as long as the connection lasts."""
        self.log_targets = USUAL_TARGETS
        """Of the next refusal."""
        self.variables: dict[str, str] = {}
        """`acl_c…`: they live as long as the connection."""

    # The loop

    async def run(self) -> None:
        """Talk until one side is done. Raises nothing that the peer can cause."""
        load_verbs()
        try:
            if self.begins_with_tls:
                await secure(self)
                await log_in_by_certificate(self)
            elif self.is_tls_on_connect:
                take_up(self, self.stream.tls_session() or TlsSession(cipher=self.stream.tls_cipher))
            await welcome(self)
            await self._converse()
        except DialError as error:
            await lost(self, error)
        except Exception as error:
            await self._broke(error)
        finally:
            self.forget_transaction()
            self.stream.close()

    async def _converse(self) -> None:
        engine, stream = self.engine, self.stream
        timeout = self.receive_timeout
        next_event = engine.next_event
        monotonic = self.services.clock.monotonic
        line_began = 0.0
        while True:
            event = next_event()
            if event is Need.DATA:
                out = engine.outgoing()
                if out:
                    await stream.write(out, timeout)
                left = timeout - (monotonic() - line_began) if line_began else timeout
                data = await stream.read(max(left, 0.001))
                if not data:
                    if not engine.is_closed:
                        await hung_up(self)
                    return
                engine.receive(data)
                if len(data) >= DAWDLING or data.find(b"\n") >= 0:
                    line_began = 0.0
                elif not line_began:
                    line_began = monotonic()
            elif type(event) is Closed:
                if self.is_dropped:
                    await not_quit(self, "acl-drop", "")
                    ended(self, "closed by DROP in ACL")
                await stream.write(engine.outgoing(), LAST_WORDS)
                return
            else:
                await HANDLERS[type(event)](self, event)

    async def end_login(self) -> None:
        """The client has gone in the middle of AUTH: what it said last counts as a line, and empty ones follow, so that the login fails,
        and is logged as those are that guessers see to their end."""
        for _ in range(LINES_OF_A_LOGIN):
            if self.exchange is None:
                return
            self.engine.receive(b"\r\n")
            event = self.engine.next_event()
            if isinstance(event, Need | Closed):
                return
            await HANDLERS[type(event)](self, event)

    async def flush(self) -> None:
        """Write what waits, before something that takes time or changes the connection."""
        out = self.engine.outgoing()
        if out:
            await self.stream.write(out, self.policy.receive_timeout)

    async def _broke(self, error: Exception) -> None:
        """A mistake of ours: the peer may try again, and nobody else notices."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        self.services.journal.panic(
            f"SMTP session with {self.who()} broke off: {type(error).__name__}: {error} "
            f"({place.filename}:{place.lineno})"
        )
        await self.close_with(Reply(421, "Unexpected failure, please try later", "4.3.0"))

    async def close_with(self, reply: Reply) -> None:
        """End it from our side: a time-out, a shutdown. Safe from another task; `run` ends then."""
        self.engine.abort(reply)
        await self._say_last_words()
        self.stream.close()

    async def _say_last_words(self) -> None:
        try:
            await self.stream.write(self.engine.outgoing(), LAST_WORDS)
        except DialError:
            return

    async def last_reply(self, reply: Reply) -> None:
        """Words for a client that has closed its side, but may still read."""
        self.engine.abort(reply)
        await self._say_last_words()

    # Who it is, for the log

    def who(self) -> str:
        """`name (helo) [address]`, or the local user."""
        return peer(self.origin, self.services.log_style)

    def described(self) -> str:
        """`H=… U=…`, as far as they are known."""
        return host_and_ident(self.origin, self.services.log_style)

    def connection_name(self, *, is_known: bool = False) -> str:
        """`[address]`; with what it has said of itself when it `is_known`."""
        if self.local is not None:
            return self.local.login
        style, origin = self.services.log_style, self.origin
        if not is_known:
            origin = msgspec.structs.replace(origin, helo="", host_name="")
        shown = sending_host(origin, style)
        return f"{shown}{interface(origin, style)}"

    # What verbs use

    def reply(self, reply: Reply, *, close: bool | None = None) -> None:
        if "no_multiline_responses" in self.memory.controls and "\n" in reply.text:
            reply = Reply(reply.code, reply.text.partition("\n")[0], reply.enhanced)
        self.engine.reply(reply, close=close)

    def update_origin(self, **changes: object) -> None:
        self.take_origin(msgspec.structs.replace(self.origin, **changes))

    def take_origin(self, origin: Origin) -> None:
        """Perhaps in the middle of a transaction, which has a scope already."""
        self.origin = origin
        self.client.follow(origin.host_address, origin.host_name)
        if self.transaction is not None:
            self.transaction.scope = self.transaction.scope.with_facet(Origin, origin)

    def new_scope(self, facts: MessageFacts | None = None) -> Scope:
        if facts is None:
            facts = MessageFacts()
            facts.variables = dict(self.variables)
        facets: dict[type, object] = {
            Origin: self.origin,
            MessageFacts: facts,
            SessionFacts: self.live,
            ClientName: self.client,
        }
        if self.proxy is not None:
            facets[ProxyFacts] = self.proxy
        if self.own_name is not None:
            facets[LocalHost] = self.own_name
        if self.tls is not None:
            facets[TlsInFacts] = self.tls
        return Scope(facets, self.services.expansion)

    async def check(
        self,
        where: Where,
        scope: Scope,
        recipient: Candidate | None = None,
        transaction: Transaction | None = None,
    ) -> Verdict:
        """Run the ACL of this point; what it controls and adds is kept in the transaction."""
        acl = self.policy.acls.get(where)
        if acl is None:
            return Deny(Reason("")) if where in CLOSED_BY_DEFAULT else Accept()
        facts = scope.facet(MessageFacts) or MessageFacts()
        checks, memory = self.services.checks, self.memory
        if transaction is None:
            state = AclState(where, scope, self.origin, facts, checks, recipient, memory=memory)
        else:
            memory = transaction.memory = transaction.memory or CheckMemory(memory)
            controls, changes = transaction.controls, transaction.changes
            state = AclState(where, scope, self.origin, facts, checks, recipient, controls, changes, memory)
        verdict = await acl.run(state)
        self.log_targets = state.targets
        if self.memory.controls:
            self._obey(self.memory.controls)
        said = verdict.text if isinstance(verdict, Accept) else verdict.reason.peer
        if said and where in SAYS_ACCEPTED and isinstance(verdict, Accept | Discard):
            self.tell_misfit(said, SAYS_ACCEPTED[where], facts.id)
        if facts.variables:
            self.variables = {n: value for n, value in facts.variables.items() if n.startswith("acl_c")}
        return verdict

    def _obey(self, controls: set[str]) -> None:
        """Those of `control` that are about the protocol."""
        settings = self.engine.settings
        changed = msgspec.structs.replace(
            settings,
            enforce_sync=settings.has_socket
            and ("enforce_sync" in controls or (settings.enforce_sync and "no_enforce_sync" not in controls)),
            auth_unadvertised="allow_auth_unadvertised" in controls,
        )
        if changed != settings:
            self.engine.change(changed)

    def tell_misfit(self, text: str, code: int, message_id: str) -> None:
        """Of a configured text whose codes are of another class than `code`."""
        if trouble := misfit(text, code):
            self.services.journal.panic(f"{message_id} {trouble}" if message_id else trouble)

    async def is_in(self, hosts: HostList | None) -> bool:
        """Whether the client is in a host list; in none that is not set. Raises ExpansionDeferred."""
        if hosts is None:
            return False
        subject = HostSubject(self.origin.host_address)
        scope = self.new_scope()
        return hosts.matches_now(subject, scope) if hosts.is_pure else await hosts.matches(subject, scope)

    async def is_surely_in(self, hosts: HostList | None) -> bool:
        """The same, where a list that cannot say now counts as one that the client is not in."""
        if hosts is None:
            return False
        try:
            return await self.is_in(hosts)
        except (ExpansionDeferred, ExpansionFailed) as error:
            self.services.journal.main(f"{hosts.source}: {error}")
            return False

    async def may_leave_unqualified(self, hosts: HostList | None) -> bool:
        """Hosts in the list may send addresses without a domain, and users that have logged in."""
        if self.origin.authenticator or self.local is not None:
            return True
        try:
            return await self.is_in(hosts)
        except (ExpansionDeferred, ExpansionFailed):
            return False

    def refuse(
        self,
        what: str,
        verdict: Deny | Defer | Drop | Discard,
        *,
        code: int = 550,
        sender: str | None = None,
        is_greeting: bool = False,
    ) -> None:
        """Say no and log it, in Exim's words: `H=… F=<…> rejected RCPT <…>: why`."""
        self.log_rejection(self.describe_refusal(what, verdict, sender, code))
        if isinstance(verdict, Discard):  # has no meaning here
            verdict = Deny(verdict.reason)
        self.is_dropped = isinstance(verdict, Drop)
        any_code = code == VRFY_REFUSED
        enhanced = "2.5.2" if any_code else "5.7.1"
        reply = reply_to(verdict, Reply(250, "OK"), code=code, enhanced=enhanced, any_code=any_code)
        if is_greeting:
            self.engine.greet(reply)
        else:
            self.reply(reply, close=isinstance(verdict, Drop) or None)

    def describe_refusal(
        self,
        what: str,
        verdict: Deny | Defer | Drop | Discard,
        sender: str | None = None,
        code: int = 550,
        message_id: str = "",
    ) -> str:
        sender_part = "" if sender is None else f" F=<{sender}>"
        who = f"{self.described()}{security(self.origin, self.services.log_style)}{sender_part}{login(self.origin)}"
        word = "temporarily rejected" if isinstance(verdict, Defer) else "rejected"
        why = verdict.reason.log or verdict.reason.peer
        any_code = code == VRFY_REFUSED
        code = 451 if isinstance(verdict, Defer) else code
        if verdict.reason.peer and not any_code:
            self.tell_misfit(verdict.reason.peer, code, message_id)
        if why and why == verdict.reason.peer and not any_code:
            why = fitting(why, code)
        why = why.partition("\n")[0]
        return f"{who} {word} {what}{f': {why}' if why else ''}"

    def log_rejection(self, line: str, more: str = "") -> None:
        """In mainlog and rejectlog, or where the last ACL's `log_reject_target` says; `more` in the latter only."""
        line = printable(line)
        journal, targets = self.services.journal, self.log_targets
        self.log_targets = USUAL_TARGETS
        if "panic" in targets:
            (journal.panic if "main" in targets else journal.panic_only)(line)
        elif "main" in targets:
            journal.main(line)
        if "reject" in targets:
            journal.reject(f"{line}\n{more}" if more else line)

    def forget_transaction(self) -> None:
        transaction = self.transaction
        if transaction is not None:
            self.transaction = None
            self.live.forget_transaction()
            if transaction.body is not None:
                transaction.body.discard()
