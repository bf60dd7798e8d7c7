"""Speaking before the host does: EHLO, and what its kept answer to the last one allows behind it, ahead of the banner (Exim's PIPECONNECT).

A host that offered PIPECONNECT and PIPELINING is kept with all that it offered, in clear and within TLS, in the data base `misc`. The next
session with it assumes the same: EHLO goes out with STARTTLS, with AUTH, or with the whole envelope. Banner and answer to EHLO are overdue
then; they are heard with the first answer to what followed, and what is kept is set right by them. A host that no longer offers it, that
refuses, or that says nothing is forgotten: the next session waits for its banner.

Whoever wants to hear of banner and EHLO (`event_action`) is better served by waiting, and so are callouts.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.trouble import Refused
from pillarbox.ports.clock import Clock
from pillarbox.ports.hint_records import HintRecord, HintRecords, RecordsBusy
from pillarbox.wire.smtp.client import Answer
from pillarbox.wire.smtp.commands import Connect
from pillarbox.wire.smtp.events import Helo
from pillarbox.wire.smtp.extensions import Extensions

_NOTHING = Extensions()


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a host offered last time."""

    clear: Extensions = _NOTHING
    crypted: Extensions = _NOTHING
    clear_auth: int = 0
    """One bit for each of our authenticators whose mechanism it offered, the first is 1; for `exim_dumpdb`."""
    crypted_auth: int = 0


_NOT_KEPT = Kept()


class Capabilities:
    """What hosts have offered, by address and port."""

    __slots__ = ("_clock", "_expire", "_mechanisms", "_records")

    def __init__(
        self, records: HintRecords, clock: Clock, expire: float, mechanisms: tuple[str, ...] = ()
    ) -> None:
        self._records = records
        self._clock = clock
        self._expire = expire
        """`retry_data_expire`, seconds."""
        self._mechanisms = mechanisms

    def of(self, target: Target) -> Kept:
        """Nothing offered: unknown, or too old."""
        try:
            record = self._records.read("misc", _key(target))
        except RecordsBusy:
            return _NOT_KEPT
        if record is None or self._clock.now() - record.at > self._expire:
            return _NOT_KEPT
        return read_kept(record)

    def learn(self, session: Session) -> None:
        """From the answer to EHLO that has just come."""
        offered, target = session.engine.extensions, session.target
        is_crypted = bool(session.tls_cipher)
        if not is_welcome(offered):
            if not is_crypted:
                self.forget(target)
                return
            offered = _NOTHING
        kept = self.of(target)
        offered = replace(offered, others=())
        if (kept.crypted if is_crypted else kept.clear) == offered:
            return
        bits = sum(1 << n for n, name in enumerate(self._mechanisms) if name in offered.auth)
        if is_crypted:
            kept = replace(kept, crypted=offered, crypted_auth=bits)
        else:
            kept = replace(kept, clear=offered, clear_auth=bits)
        record = HintRecord(self._clock.now(), msgspec.json.encode(kept).decode())
        with suppress(RecordsBusy):
            self._records.change("misc", _key(target), lambda _: record)

    def forget(self, target: Target) -> None:
        with suppress(RecordsBusy):
            if self._records.read("misc", _key(target)) is not None:
                self._records.forget("misc", [_key(target)])


def read_kept(record: HintRecord) -> Kept:
    """Nothing, when it is not to be read."""
    try:
        return msgspec.json.decode(record.text, type=Kept)
    except msgspec.DecodeError:
        return _NOT_KEPT


def is_welcome(offered: Extensions) -> bool:
    """Whether to speak first next time."""
    return offered.pipeconnect and offered.pipelining


def speak_first(session: Session, hello: Helo, offered: Extensions, capabilities: Capabilities) -> None:
    """EHLO is on its way with whatever follows; the host is taken to offer what it did. Who awaits the next answer may get Refused."""
    session.engine.assume(offered)
    session.engine.send(hello)
    session.startup += "e"
    session.overdue = _listener(session, capabilities)


def _listener(session: Session, capabilities: Capabilities) -> Callable[[Answer | None], None]:
    def hear(answer: Answer | None) -> None:
        """Raises Refused."""
        if answer is None or not answer.reply.is_positive:
            session.overdue = None
            capabilities.forget(session.target)
            if answer is not None:
                raise Refused(answer)
        elif not isinstance(answer.command, Connect):
            session.overdue = None
            session.is_early = is_welcome(session.engine.extensions)
            capabilities.learn(session)

    return hear


def _key(target: Target) -> str:
    """As Exim's."""
    return f"{target.address}:{target.port}.EHLO"
