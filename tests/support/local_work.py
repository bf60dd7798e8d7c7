"""A `LocalWork` in memory: commands answer as told, files are a dictionary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from errno import ENOENT

from pillarbox.mail.message import Body
from pillarbox.ports.localwork import Actor, CommandEnd, CommandWork, FoundFile
from pillarbox.ports.userfiles import FileResult, FileWork, Written


class ScriptedWork:
    acts_as_users = True

    def __init__(self, *ends: CommandEnd) -> None:
        self.ends = list(ends)
        self.ran: list[CommandWork] = []
        self.inputs: list[bytes] = []
        self.files: dict[str, bytes] = {}

    async def run(self, work: CommandWork, input: Iterable[bytes] = ()) -> CommandEnd:
        self.ran.append(work)
        self.inputs.append(b"".join(input))
        return self.ends.pop(0) if self.ends else CommandEnd()

    async def look(self, path: str, actor: Actor | None = None, *, follows_links: bool = True) -> FoundFile:
        return FoundFile(0 if path in self.files else ENOENT)

    async def look_at_all(self, paths: Sequence[str], actor: Actor | None = None) -> Sequence[FoundFile]:
        return [await self.look(path, actor) for path in paths]

    async def read(self, path: str, actor: Actor | None = None, *, limit: int = 1 << 20) -> FoundFile:
        if path not in self.files:
            return FoundFile(ENOENT)
        return FoundFile(data=self.files[path])

    async def deliver(self, work: FileWork, body: Body, actor: Actor | None = None) -> FileResult:
        data = work.head + b"".join(body.chunks()) + work.tail
        match work.kind:
            case "single":
                self.files[f"{work.path}/temp.{work.unique}"] = data
            case "rename":
                self.files[f"{work.path}/{work.name}"] = self.files.pop(f"{work.path}/temp.{work.unique}")
            case _:
                self.files[work.path] = self.files.get(work.path, b"") + data
        return Written(work.path)

    async def sync(self) -> None:
        return None

    async def check_password(self, login: str, password: str, service: str = "") -> bool:
        return False
