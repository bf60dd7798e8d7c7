"""The conversation of the lmtp transport with a delivery agent on this machine, over a socket or a command's pipe (Exim chapter 28, RFC 2033).

One step after another, since agents seldom offer more; each recipient has a reply of its own. What is wrong is told in Exim's words for this
transport, which name no host.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.trouble import Lost
from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.commands import Command
from pillarbox.wire.smtp.events import Data, Helo, Mail, Rcpt


class Said(msgspec.Struct, frozen=True):
    """What has come of one recipient. `reply`: the agent's last words, where there were any."""

    text: str = ""
    """Empty: delivered."""
    reply: Reply | None = None

    @property
    def is_permanent(self) -> bool:
        return self.reply is not None and self.reply.is_permanent


class _Stopped(Exception):
    def __init__(self, said: Said) -> None:
        super().__init__(said.text)
        self.said = said


async def hand_over(
    session: Session,
    helo: str,
    mail: Mail,
    rcpts: Sequence[Rcpt],
    content: Iterable[bytes],
    *,
    timeout: float,
) -> list[Said]:
    """One for each recipient. The session is of no use afterwards but for `quit`."""
    talk = _Talk(session, timeout)
    results: list[Said | None] = [None] * len(rcpts)
    try:
        await talk.greet(helo)
        await talk.ask(mail, f"MAIL FROM:<{mail.sender or ''}>")
        for index, rcpt in enumerate(rcpts):
            results[index] = await talk.name(rcpt)
        if session.engine.accepted:
            await talk.send(content)
            for index, result in enumerate(results):
                if result is None:
                    results[index] = await talk.hear_of_content()
    except _Stopped as stopped:
        return [stopped.said if result is None else result for result in results]
    return [result or Said() for result in results]


class _Talk:
    def __init__(self, session: Session, timeout: float) -> None:
        self._session = session
        self._timeout = timeout

    async def greet(self, helo: str) -> None:
        [banner] = await self._answers("initial connection")
        self._check(banner, "initial connection")
        await self.ask(Helo(helo, is_esmtp=True), f"LHLO {helo}")

    async def ask(self, command: Command, words: str) -> None:
        self._session.engine.send(command)
        [reply] = await self._answers(words)
        self._check(reply, words)

    async def name(self, rcpt: Rcpt) -> Said | None:
        """None: accepted."""
        words = f"RCPT TO:<{rcpt.address}>"
        self._session.engine.send(rcpt)
        [reply] = await self._answers(words)
        return None if reply.is_positive else Said(_error(words, reply), reply)

    async def send(self, content: Iterable[bytes]) -> None:
        self._session.engine.send(Data())
        [reply] = await self._answers("DATA")
        if reply.code != 354:
            raise _Stopped(Said(_error("DATA", reply), reply))
        try:
            await self._session.write_message(content, self._timeout)
        except Lost as lost:
            raise _lost(lost, "end of data") from None

    async def hear_of_content(self) -> Said:
        [reply] = await self._answers("end of data")
        return Said("" if reply.is_positive else _error("end of data", reply), reply)

    async def _answers(self, words: str) -> list[Reply]:
        try:
            return [answer.reply for answer in await self._session.answers(1, self._timeout)]
        except Lost as lost:
            raise _lost(lost, words) from None

    def _check(self, reply: Reply, words: str) -> None:
        if not reply.is_positive:
            raise _Stopped(Said(_error(words, reply), reply))


def _error(words: str, reply: Reply) -> str:
    return f"LMTP error after {words}: {reply.as_said}"


def _lost(lost: Lost, words: str) -> _Stopped:
    match lost.error:
        case "timeout":
            return _Stopped(Said(f"LMTP timeout after {words}"))
        case "malformed":
            return _Stopped(Said(f"Malformed LMTP reply after {words}: {lost}"))
        case _:
            return _Stopped(Said(f"LMTP connection closed after {words}"))
