"""`ports.localwork` for `deliver_drop_privilege` (Exim 56.3): as ourselves, and never as anybody else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from pillarbox.mail.message import Body
from pillarbox.ports.localwork import Actor, CommandEnd, CommandWork, FoundFile, LocalWork, WorkRefused
from pillarbox.ports.network import Connection
from pillarbox.ports.userfiles import FileResult, FileWork


class UnprivilegedWork:
    """What another user would have to do is refused. `own` does the rest."""

    acts_as_users = True

    def __init__(self, own: LocalWork) -> None:
        self._own = own

    async def deliver(self, work: FileWork, body: Body, actor: Actor | None = None) -> FileResult:
        _refuse_others(actor)
        return await self._own.deliver(work, body)

    async def sync(self) -> None:
        await self._own.sync()

    async def run(self, work: CommandWork, input: Iterable[bytes] = ()) -> CommandEnd:
        _refuse_others(work.actor)
        return await self._own.run(work, input)

    async def converse(self, work: CommandWork) -> Connection:
        _refuse_others(work.actor)
        return await self._own.converse(work)

    async def read(self, path: str, actor: Actor | None = None, *, limit: int = 1 << 20) -> FoundFile:
        _refuse_others(actor)
        return await self._own.read(path, limit=limit)

    async def look(self, path: str, actor: Actor | None = None, *, follows_links: bool = True) -> FoundFile:
        _refuse_others(actor)
        return await self._own.look(path, follows_links=follows_links)

    async def look_at_all(self, paths: Sequence[str], actor: Actor | None = None) -> Sequence[FoundFile]:
        _refuse_others(actor)
        return await self._own.look_at_all(paths)

    async def check_password(self, login: str, password: str, service: str = "") -> bool:
        return await self._own.check_password(login, password, service)


def _refuse_others(actor: Actor | None) -> None:
    """Raises WorkRefused."""
    if actor is None or (actor.uid, actor.gid) == (os.geteuid(), os.getegid()):
        return
    raise WorkRefused(
        f"unable to set gid={actor.gid} or uid={actor.uid} (euid={os.geteuid()}): deliver_drop_privilege is set"
    )
