"""One SMTP or LMTP conversation, from the banner to the last reply.

The engine says what the client wants, one file in `smtp/` decides each verb, and this loop carries bytes. Replies go out when the client has
nothing more to say for now, so a pipelined group costs one write. Whatever goes wrong costs this connection only.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from functools import cache
from typing import TypeVar

import msgspec

from pillarbox.flow.accept.policy import AcceptPolicy, AcceptServices, Where
from pillarbox.flow.accept.rejection import describe_host
from pillarbox.flow.accept.stream import ServerStream
from pillarbox.flow.accept.transaction import Transaction
from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.check.verdict import Accept, Deny, Verdict
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Origin
from pillarbox.mail.reply import Reason, Reply
from pillarbox.ports.logins import Exchange
from pillarbox.ports.network import DialError
from pillarbox.wire.smtp.events import Closed, Need
from pillarbox.wire.smtp.server import ServerEngine

E = TypeVar("E")

HANDLERS: dict[type, Callable[[Session, object], Awaitable[None]]] = {}
CLOSED_BY_DEFAULT: frozenset[Where] = frozenset({"rcpt", "vrfy", "expn"})
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
        "engine",
        "exchange",
        "exchange_name",
        "origin",
        "policy",
        "services",
        "stream",
        "transaction",
        "variables",
    )

    def __init__(
        self, stream: ServerStream, policy: AcceptPolicy, services: AcceptServices, *, is_tls: bool = False
    ) -> None:
        self.stream = stream
        self.policy = policy
        self.services = services
        self.engine = ServerEngine(policy.engine, is_tls=is_tls)
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
        )
        self.transaction: Transaction | None = None
        self.exchange: Exchange | None = None
        self.exchange_name = ""
        self.variables: dict[str, str] = {}
        """`acl_c…`: they live as long as the connection."""

    # The loop

    async def run(self) -> None:
        """Talk until one side is done. Raises nothing that the peer can cause."""
        load_verbs()
        try:
            await self._greet()
            await self._converse()
        except DialError as error:
            await self._lost(error)
        finally:
            self.forget_transaction()
            self.stream.close()

    async def _converse(self) -> None:
        engine, stream = self.engine, self.stream
        timeout = self.policy.receive_timeout
        next_event = engine.next_event
        while True:
            event = next_event()
            if event is Need.DATA:
                out = engine.outgoing()
                if out:
                    await stream.write(out, timeout)
                data = await stream.read(timeout)
                if not data:
                    self._hung_up()
                    return
                engine.receive(data)
            elif type(event) is Closed:
                await stream.write(engine.outgoing(), LAST_WORDS)
                return
            else:
                await HANDLERS[type(event)](self, event)

    async def flush(self) -> None:
        """Write what waits, before something that takes time or changes the connection."""
        out = self.engine.outgoing()
        if out:
            await self.stream.write(out, self.policy.receive_timeout)

    async def _greet(self) -> None:
        verdict = await self.check("connect", self.new_scope())
        if isinstance(verdict, Accept):
            text = verdict.text or await self.policy.banner.expand(self.new_scope())
            self.engine.greet(Reply(220, text))
            return
        reason = getattr(verdict, "reason", Reason(""))
        self.reject("connection", reason)
        code, enhanced = (550, "5.7.1") if isinstance(verdict, Deny) or reason.peer else (421, "4.7.0")
        self.engine.greet(Reply(code, reason.peer or "Connection refused", enhanced))

    def _hung_up(self) -> None:
        if self.transaction is not None:
            self.services.journal.main(
                f"unexpected disconnection while reading SMTP command from {self._who()}"
            )

    async def _lost(self, error: DialError) -> None:
        journal = self.services.journal
        if error.error == "timeout":
            journal.main(f"SMTP command timeout on connection from {self._who()}")
            self.engine.abort(Reply(421, f"{self.policy.primary_hostname}: SMTP command timeout", "4.4.2"))
            await self._say_last_words()
        elif error.error == "tls":
            journal.main(f"TLS error on connection from {self._who()}: {error}")
        elif self.transaction is not None:
            journal.main(f"SMTP connection lost from {self._who()}: {error}")

    async def close_with(self, reply: Reply) -> None:
        """End it from our side (shutdown)."""
        self.engine.abort(reply)
        await self._say_last_words()

    async def _say_last_words(self) -> None:
        try:
            await self.stream.write(self.engine.outgoing(), LAST_WORDS)
        except DialError:
            return

    def _who(self) -> str:
        return describe_host(self.origin).removeprefix("H=")

    # What verbs use

    def reply(self, reply: Reply, *, close: bool = False) -> None:
        self.engine.reply(reply, close=close)

    def update_origin(self, **changes: object) -> None:
        self.origin = msgspec.structs.replace(self.origin, **changes)

    def new_scope(self, facts: MessageFacts | None = None) -> Scope:
        if facts is None:
            facts = MessageFacts()
            facts.variables = dict(self.variables)
        return Scope({Origin: self.origin, MessageFacts: facts}, self.services.expansion)

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
            return Deny(Reason(f"no ACL for {where}")) if where in CLOSED_BY_DEFAULT else Accept()
        facts = scope.facet(MessageFacts) or MessageFacts()
        state = AclState(where, scope, self.origin, facts, self.services.checks, recipient)
        verdict = await acl.run(state)
        self._keep(state, transaction)
        return verdict

    def _keep(self, state: AclState, transaction: Transaction | None) -> None:
        variables = state.facts.variables
        if variables:
            self.variables = {name: value for name, value in variables.items() if name.startswith("acl_c")}
        if transaction is None:
            return
        if state.controls:
            transaction.controls.update(state.controls)
        if state.added_headers:
            transaction.added_headers += [
                h for h in state.added_headers if h not in transaction.added_headers
            ]
        if state.removed_headers:
            transaction.removed_headers += state.removed_headers

    def reject(self, what: str, reason: Reason, sender: str | None = None) -> None:
        """Exim's rejection line, in mainlog and rejectlog: `H=… F=<…> rejected RCPT <…>: why`."""
        sender_part = "" if sender is None else f" F=<{sender}>"
        why = reason.log or reason.peer
        line = f"{describe_host(self.origin)}{sender_part} rejected {what}{f': {why}' if why else ''}"
        self.services.journal.main(line)
        self.services.journal.reject(line)

    def forget_transaction(self) -> None:
        transaction = self.transaction
        if transaction is not None:
            self.transaction = None
            if transaction.body is not None:
                transaction.body.discard()
