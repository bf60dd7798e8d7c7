"""One SMTP or LMTP conversation, from the banner to the last reply.

The engine says what the client wants, one file in `smtp/` decides each verb, and this loop carries bytes. Replies go out when the client has
nothing more to say for now, so a pipelined group costs one write. Whatever goes wrong costs this connection only.
"""

from __future__ import annotations

import traceback
from functools import partial

import msgspec

from pillarbox.flow.accept.live import LiveFacts
from pillarbox.flow.accept.local.caller import Caller
from pillarbox.flow.accept.naming import note_name
from pillarbox.flow.accept.parting import ended, hung_up, lost, not_quit
from pillarbox.flow.accept.passing import let_go
from pillarbox.flow.accept.policy import AcceptPolicy, AcceptServices
from pillarbox.flow.accept.securing import take_up
from pillarbox.flow.accept.slowing import Brake
from pillarbox.flow.accept.transaction import Transaction
from pillarbox.flow.accept.verbs import HANDLERS, load_verbs
from pillarbox.flow.accept.welcome import welcome
from pillarbox.flow.accept.wishes import Wishes
from pillarbox.flow.check.acl.state import USUAL_TARGETS, CheckMemory
from pillarbox.flow.connection_id import new_connection_id
from pillarbox.flow.facets.session import ProxyFacts, SessionFacts, TlsInFacts
from pillarbox.flow.facts import MessageFacts
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.host_names import ClientName
from pillarbox.language.match.local_host import LocalHost
from pillarbox.mail.envelope import Origin
from pillarbox.mail.reply import Reply
from pillarbox.ports.logins import Exchange
from pillarbox.ports.network import DialError, ServedConnection, TlsSession
from pillarbox.wire.exim.log_line import (
    host_and_ident,
    interface,
    peer,
    printable,
    sending_host,
)
from pillarbox.wire.smtp.events import Closed, Need
from pillarbox.wire.smtp.server import ServerEngine

DAWDLING = 512
"""Bytes. Fewer at once without the end of a line do not count as progress: `smtp_receive_timeout` is for a line, not for a byte."""
LAST_WORDS = 10.0
"""Seconds that a peer has to take the last reply."""


def _beginning(stream: ServedConnection, local: Caller | None) -> Origin:
    """What is known before a word is said."""
    if local is not None:
        return Origin(
            protocol="local-smtp",
            ident=local.login,
            authenticated_id="" if local.is_trusted else local.login,
            caller_uid=local.uid,
            caller_gid=local.gid,
            connection_id=new_connection_id(),
        )
    address, port = stream.peer_address
    local_address, local_port = stream.local_address
    return Origin(
        protocol="smtp",
        host_address=address,
        host_port=port,
        interface_address=local_address,
        interface_port=local_port,
        tls_cipher=stream.tls_cipher,
        tls_sni=stream.tls_sni,
        connection_id=new_connection_id(),
    )


class Session:
    """`run` is the whole life of it."""

    __slots__ = (
        "began",
        "begins_with_tls",
        "body_type",
        "client",
        "connections",
        "engine",
        "exchange",
        "exchange_name",
        "has_given_up",
        "hostname",
        "is_customer",
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
        "wishes",
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
        self.origin = _beginning(stream, local)
        self.client.follow(self.origin.host_address, "")
        self.tls: TlsInFacts | None = None
        """What is known of the TLS session besides."""
        self.begins_with_tls = is_tls and not stream.tls_cipher
        self.is_tls_on_connect = is_tls
        self.live = LiveFacts(self.engine, self.client)
        self.live.connection_id = self.origin.connection_id
        self.hostname = policy.primary_hostname
        """Ours: `smtp_active_hostname`."""
        self.own_name: LocalHost | None = None
        """The facet that goes with it; None: the usual one."""
        self.messages_max = policy.messages_max
        self.receive_timeout = policy.receive_timeout
        self.wishes = Wishes()
        self.began = services.clock.monotonic()
        self.connections = connections
        self.live.count_at_connection_start = connections
        self.proxy: ProxyFacts | None = None
        """Somebody is between the client and us."""
        self.mail_brake: Brake | None = None
        self.rcpt_brake: Brake | None = None
        """This client is slowed down."""
        self.is_customer = False
        """We have made the connection, for the other side to send us our mail (ATRN)."""
        self.is_dropped = False
        """An ACL has said `drop`."""
        self.has_given_up = False
        """We have ended it, for the client's mistakes or behind its message: a command that holds it ends with 1."""
        self.is_logged = True
        """`smtp_connection` lines are wanted of this client."""
        self.transaction: Transaction | None = None
        self.exchange: Exchange | None = None
        self.exchange_name = ""
        self.body_type = ""
        """The latest BODY= of a MAIL command, for the log."""
        self.messages = 0
        """MAIL commands so far."""
        self.received = 0
        """Messages that we have taken."""
        self.memory = CheckMemory()
        self.memory.flush, self.memory.shape = self.flush, stream.shape
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
            if self.is_tls_on_connect and not self.begins_with_tls:
                take_up(self, self.stream.tls_session() or TlsSession(cipher=self.stream.tls_cipher))
            await welcome(self)
            if self.begins_with_tls and not self.stream.tls_cipher:
                self.engine.outgoing()  # refused before there was TLS: not a word in clear
            await self._converse()
        except DialError as error:
            await lost(self, error)
        except Exception as error:
            await self._broke(error)
        finally:
            await self.forget_transaction()
            self.stream.close()

    async def _converse(self) -> None:
        engine, stream = self.engine, self.stream
        timeout = self.receive_timeout
        listener = self.services.listener
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
                words = engine.outgoing()
                if words:
                    await stream.write(words, LAST_WORDS)
                return
            else:
                if listener is not None:
                    await listener.hear_command(self)
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
        """`name (helo) [address] U=ident`, or the local user."""
        origin = self.origin
        ident = f" U={printable(origin.ident)}" if origin.ident and origin.host_address else ""
        return f"{peer(origin, self.services.log_style)}{ident}"

    def described(self) -> str:
        """`H=… U=…`, as far as they are known."""
        return host_and_ident(self.origin, self.services.log_style)

    def named(self) -> str:
        """The same without our end of the connection."""
        return host_and_ident(
            self.origin, self.services.log_style.without("incoming_interface", "connection_id")
        )

    def connection_name(self, *, is_known: bool = False) -> str:
        """`[address]`, with what it has said of itself when it `is_known`; the login of a program here, whatever it speaks for."""
        if self.local is not None:
            return self.local.login
        if self.origin.ident and not self.engine.settings.has_socket:
            return printable(self.origin.ident)
        style, origin = self.services.log_style, self.origin
        if not is_known:
            origin = msgspec.structs.replace(origin, helo="", host_name="")
        shown = sending_host(origin, style)
        return f"{shown}{interface(origin, style)}"

    # What verbs use

    def reply(self, reply: Reply, *, close: bool | None = None) -> None:
        if "no_multiline_responses" in self.memory.controls and "\n" in reply.text:
            reply = Reply(reply.code, reply.text.partition("\n")[0], reply.enhanced)
        if self.memory.debug is not None:
            self.memory.debug.answer(f"{reply.code} {reply.text}", self.engine.line)
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

    async def forget_transaction(self) -> None:
        transaction = self.transaction
        if transaction is not None:
            self.transaction = None
            self.live.forget_transaction()
            if transaction.body is not None:
                transaction.body.discard()
            await let_go(transaction)
