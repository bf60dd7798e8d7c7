"""What expansions may do outside this process: commands, sockets, the administrator's functions, the environment (Exim 11.5).

Each is imported when it is first used: most expansions need none, and `exim -be` must start quickly.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from pillarbox.app.environment import kept_environment
from pillarbox.config.model import Config
from pillarbox.flow.facts import StrictAclVariables
from pillarbox.flow.settings import Files
from pillarbox.flow.settings.environment import Environment as EnvironmentOptions
from pillarbox.language.expand.items.env import Environment
from pillarbox.language.match.items import split
from pillarbox.ports.commands import CommandResult, Commands
from pillarbox.ports.dns import Resolver
from pillarbox.ports.functions import Functions
from pillarbox.ports.localwork import LocalWork, WorkRefused
from pillarbox.ports.passwords import Passwords, PasswordTrouble
from pillarbox.ports.scan_files import ScanFiles
from pillarbox.ports.sockets import Sockets, SocketWish, Talk
from pillarbox.ports.spf import SpfChecker, SpfUnavailable, SpfVerdict, SpfWish


def outside_facts(config: Config) -> dict[type, object]:
    """Facets for `Services.facts`."""
    options = config.main(EnvironmentOptions)
    variables = kept_environment(config, os.environ)
    facts: dict[type, object] = {
        Environment: Environment(variables),
        Commands: LateCommands(variables),
        Sockets: LateSockets(),
        ScanFiles: LateScanFiles(config.main(Files).spool_directory),
        Passwords: LatePasswords(),
        SpfChecker: LateSpf(),
    }
    if options.strict_acl_vars:
        facts[StrictAclVariables] = StrictAclVariables()
    if options.python_modules:
        facts[Functions] = LateFunctions([file for file, _ in split(options.python_modules)])
    return facts


class LateCommands:
    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._made: Commands | None = None

    async def run(self, arguments: tuple[str, ...], *, timeout: float, limit: int) -> CommandResult:
        if self._made is None:
            from pillarbox.system.commands import SystemCommands

            self._made = SystemCommands(lambda: self._variables)
        return await self._made.run(arguments, timeout=timeout, limit=limit)


class LateSockets:
    async def ask(self, wish: SocketWish, *, timeout: float, limit: int) -> bytes:
        from pillarbox.system.sockets import SystemSockets

        return await SystemSockets().ask(wish, timeout=timeout, limit=limit)

    async def tell(self, host: str, port: int, data: bytes) -> None:
        from pillarbox.system.sockets import SystemSockets

        await SystemSockets().tell(host, port, data)

    async def open(self, path: str, *, timeout: float, lifetime: float) -> Talk:
        from pillarbox.system.sockets import SystemSockets

        return await SystemSockets().open(path, timeout=timeout, lifetime=lifetime)


class LateScanFiles:
    def __init__(self, spool_directory: str) -> None:
        self._spool_directory = spool_directory

    async def keep(self, message_id: str, name: str, data: bytes) -> str:
        return await self._system().keep(message_id, name, data)

    async def forget(self, message_id: str) -> None:
        await self._system().forget(message_id)

    def _system(self) -> ScanFiles:
        from pillarbox.system.scan_files import SpoolScanFiles

        return SpoolScanFiles(self._spool_directory)


class LateSpf:
    def __init__(self) -> None:
        self._made: SpfChecker | None = None

    async def check(self, wish: SpfWish, resolver: Resolver) -> SpfVerdict:
        if self._made is None:
            try:
                from pillarbox.backends.spf import PySpf
            except ModuleNotFoundError as error:
                raise SpfUnavailable(
                    f"SPF needs the Python package {error.name}: install pillarbox[spf]"
                ) from None
            self._made = PySpf()
        return await self._made.check(wish, resolver)


class LateFunctions:
    def __init__(self, files: Sequence[str]) -> None:
        self._files = files
        self._made: Functions | None = None

    async def call(self, name: str, arguments: tuple[str, ...]) -> str | None:
        if self._made is None:
            from pillarbox.system.functions import PythonFunctions

            self._made = PythonFunctions(self._files)
        return await self._made.call(name, arguments)


class LatePasswords:
    """`work`: who asks PAM for us with root's rights; None: we ask it ourselves."""

    def __init__(self, work: LocalWork | None = None) -> None:
        self._work = work

    async def crypt(self, password: bytes, setting: bytes) -> bytes | None:
        return await self._system().crypt(password, setting)

    async def pam(self, user: str, answers: tuple[str, ...]) -> bool:
        if self._work is None or not self._work.acts_as_users or len(answers) != 1:
            return await self._system().pam(user, answers)
        try:
            return await self._work.check_password(user, answers[0], "exim")
        except WorkRefused as refused:
            raise PasswordTrouble(str(refused)) from None

    async def saslauthd(self, user: str, password: str, service: str, realm: str) -> bool:
        return await self._system().saslauthd(user, password, service, realm)

    def _system(self) -> Passwords:
        from pillarbox.system.passwords import SystemPasswords

        return SystemPasswords()
