"""Work on this machine that needs a user's own rights: their files, their commands, their password.

With the root helper (system/helper/) it is done as the user; started without root, as ourselves, whoever the actor is: as Exim's
`deliver_drop_privilege` has it. Nothing else can tell. What the helper never does, whoever asks: act as root or as one of `never_users`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from pillarbox.mail.message import Body
from pillarbox.ports.network import Connection
from pillarbox.ports.userfiles import FileResult, FileWork


class Actor(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Whose rights. `groups`: further ones (`initgroups`); empty: `gid` alone."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


class WorkRefused(Exception):
    """The helper will not or cannot do it; nothing was done, or nobody knows. `str()` is for the log."""


class FileFacts(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Of stat(2). `mode` with the kind of file."""

    uid: int
    gid: int
    mode: int
    size: int
    modified_at: float


class FoundFile(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What reading or looking came to. `error`: errno, 0 when all went well; then `facts` is there, and `data` if it was read."""

    error: int = 0
    facts: FileFacts | None = None
    data: bytes = b""
    is_cut: bool = False
    """The file is longer than the limit."""


class CommandWork(msgspec.Struct, frozen=True, kw_only=True):
    """A command to run to its end. Standard error goes where standard output goes. It gets a session of its own, and nothing open but those."""

    actor: Actor | None
    """None: ourselves."""
    arguments: tuple[str, ...]
    """The first is the program: an absolute path. Bytes that are no UTF-8 as surrogates."""
    environment: tuple[tuple[str, str], ...] = ()
    """All of it: nothing is inherited."""
    directory: str = "/"
    umask: int = 0o022
    timeout: float = 0.0
    """Seconds; 0: none. Then all its session is killed."""
    max_output: int = 0
    """Bytes; 0: none is kept. Above it is killed."""
    permits_core: bool = False


class CommandEnd(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How it ended. At most one of `failed_to`, `is_timed_out`, `is_too_talkative` is set."""

    code: int = 0
    """Exit code."""
    signal: int = 0
    """That killed it; 0: it ended by itself."""
    output: bytes = b""
    """The beginning of its output, up to the limit."""
    failed_to: str = ""
    """It was not run, because we could not do this: `setgroups`, `setgid`, `setuid`, `chdir`, `exec`, `fork`."""
    error: int = 0
    """errno of that."""
    is_timed_out: bool = False
    is_too_talkative: bool = False
    input_error: int = 0
    """errno of the write that failed, EPIPE when it stopped reading; 0: it took all."""


class LocalWork(Protocol):
    @property
    def acts_as_users(self) -> bool:
        """False: as ourselves only."""
        ...

    async def deliver(self, work: FileWork, body: Body, actor: Actor | None = None) -> FileResult:
        """Write a message into a mailbox. Not yet durable: see `sync`. Raises WorkRefused."""
        ...

    async def sync(self) -> None:
        """Returns when everything delivered before is durable; calls that overlap share one sync. Raises WorkRefused, OSError."""
        ...

    async def run(self, work: CommandWork, input: Iterable[bytes] = ()) -> CommandEnd:
        """Run a command and give it `input`. Raises WorkRefused."""
        ...

    async def converse(self, work: CommandWork) -> Connection:
        """Run a command to speak with: what is written is its input, what is read its output. A command that cannot be run just says
        nothing; `timeout` and `max_output` do not count. Raises WorkRefused."""
        ...

    async def read(self, path: str, actor: Actor | None = None, *, limit: int = 1 << 20) -> FoundFile:
        """A regular file (anything else: `error` is EINVAL, with its facts). Raises WorkRefused."""
        ...

    async def look(self, path: str, actor: Actor | None = None, *, follows_links: bool = True) -> FoundFile:
        """stat(2) with the actor's rights, `data` empty. Raises WorkRefused."""
        ...

    async def look_at_all(self, paths: Sequence[str], actor: Actor | None = None) -> Sequence[FoundFile]:
        """`look` at several files in one go; in their order. Of a link that leads nowhere: that error, and the facts of the link. Raises
        WorkRefused."""
        ...

    async def check_password(self, login: str, password: str, service: str = "") -> bool:
        """A UNIX login, by PAM when `service` names one, else by the shadow file. A wrong password costs as much time as an unknown
        login. Raises WorkRefused when it cannot be checked."""
        ...


class NoLocalWork:
    """Where nothing has been wired: refuses everything."""

    acts_as_users = False

    async def deliver(self, work: FileWork, body: Body, actor: Actor | None = None) -> FileResult:
        raise WorkRefused("local deliveries are not possible here")

    async def sync(self) -> None:
        return None

    async def run(self, work: CommandWork, input: Iterable[bytes] = ()) -> CommandEnd:
        raise WorkRefused("commands cannot be run here")

    async def converse(self, work: CommandWork) -> Connection:
        raise WorkRefused("commands cannot be run here")

    async def read(self, path: str, actor: Actor | None = None, *, limit: int = 1 << 20) -> FoundFile:
        raise WorkRefused("users' files cannot be read here")

    async def look(self, path: str, actor: Actor | None = None, *, follows_links: bool = True) -> FoundFile:
        raise WorkRefused("users' files cannot be read here")

    async def look_at_all(self, paths: Sequence[str], actor: Actor | None = None) -> Sequence[FoundFile]:
        raise WorkRefused("users' files cannot be read here")

    async def check_password(self, login: str, password: str, service: str = "") -> bool:
        raise WorkRefused("passwords cannot be checked here")
