"""Lists of main options, and how a client's name is looked up, told while it happens (`exim -bh`, Exim 5.2), in Exim's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pillarbox.app.asking.commentary import say
from pillarbox.app.host_names import HostNames
from pillarbox.config.model import Config
from pillarbox.flow.accept.session import Session
from pillarbox.flow.check.acl.spoken_lists import ListTales, indented
from pillarbox.flow.check.acl.state import CheckMemory
from pillarbox.flow.check.name_tale import ToldLine
from pillarbox.flow.settings import Listening, LocalMail, Logging, SmtpLimits, SmtpService, Tls
from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.match.core import MatchList
from pillarbox.language.match.host_names import AddressesOf, FoundName, HostSubject, names_by_dns

_WHERE = (SmtpService, SmtpLimits, Listening, LocalMail, Logging, Tls)
_TOLD_WHEN_SET = {"hosts_proxy"}
_PIPELINING = "pipelining_advertise_hosts"


class SessionListener:
    """`names`: also hears of the names that the session wants."""

    def __init__(self, config: Config, tales: ListTales, names: ToldNames) -> None:
        self._config = config
        self._tales = tales
        self._names = names
        self._has_counted = False
        self._verifies_helo = False

    async def hear_lists(self, session: Session, options: tuple[str, ...], subject: str = "") -> None:
        for option in options:
            if self._is_asked(session, option):
                await self._hear(session, option, subject)
        self._names.memory = session.memory

    def hear(self, session: Session, text: str, depth: int) -> None:
        say(indented(depth + session.memory.indent, text) if depth >= 0 else text)

    async def hear_command(self, session: Session) -> None:
        """The first that leads to no mail, of those that count, lets the list be asked."""
        if session.engine.nonmail and not self._has_counted:
            self._has_counted = True
            await self.hear_lists(session, ("smtp_accept_max_nonmail_hosts",))

    def _is_asked(self, session: Session, option: str) -> bool:
        match option:
            case "helo_try_verify_hosts":
                return not self._verifies_helo
            case "auth_advertise_hosts":
                return bool(self._config.authenticators) and not session.origin.authenticator
            case "pipelining_advertise_hosts":
                return "no_pipelining" not in session.memory.controls
            case _:
                return True

    async def _hear(self, session: Session, option: str, subject: str) -> None:
        hosts = self._list(option)
        if hosts is None:
            if option not in _TOLD_WHEN_SET:
                say(indented(session.memory.indent, f"{subject or 'host'} in {option}? no (option unset)"))
            matches = False
        else:
            asked = subject or HostSubject(session.origin.host_address)
            matches = await self._tales.of_option(
                option, hosts, asked, session.new_scope(), session.memory, say
            )
        if option == "helo_verify_hosts":
            self._verifies_helo = matches

    def _list(self, option: str) -> MatchList[Any] | None:
        for settings in _WHERE:
            if option in settings.options():
                found: MatchList[Any] | None = getattr(self._config.main(settings), option)
                return found
        return None


class ToldNames(HostNames):
    """Tells of the name that somebody wants; a list that wants one tells of it itself."""

    memory: CheckMemory | None = None
    """Of the session."""

    async def name_of(self, address: str) -> FoundName:
        depth = 0 if self.memory is None else self.memory.told_depth + self.memory.indent
        for line in await self.tale_of(address):
            say(indented(depth + line.depth, line.text))
        return await super().name_of(address)

    async def tale_of(self, address: str) -> Sequence[ToldLine]:
        lines = [ToldLine(0, f"looking up host name for {address}")]
        try:
            names = await self._names_told(address, lines)
            for name in names:
                await self._addresses_told(address, name, lines)
        except ExpansionDeferred:
            return lines
        found = await super().name_of(address)
        if names and not found.name:
            lines.append(ToldLine(1, found.why))
        return lines

    async def _names_told(self, address: str, lines: list[ToldLine]) -> list[str]:
        for way in self._order:
            if way == "byaddr":
                lines.append(ToldLine(1, "IP address lookup using gethostbyaddr()"))
            known = self._hosts.name(address) if way == "byaddr" else ""
            try:
                names = [known] if known else await names_by_dns(address, self._services)
            except ExpansionDeferred:
                lines.append(ToldLine(1, "IP address PTR lookup gave temporary error"))
                raise
            if names:
                lines.append(ToldLine(1, f'IP address lookup yielded "{names[0]}"'))
                lines += [ToldLine(2, f'alias "{name}"') for name in names[1:]]
                return names
            if way == "byaddr":
                lines.append(ToldLine(1, "IP address lookup failed: h_errno=1"))
        return []

    async def _addresses_told(self, address: str, name: str, lines: list[ToldLine]) -> None:
        for what in ("require", "request"):
            lines.append(ToldLine(1, f"check dnssec {what} list"))
            lines.append(ToldLine(2, f"{name} not in empty list (option unset? cannot trace name)"))
        addresses = sorted(await AddressesOf(name).answer(self._services))
        if not addresses:
            lines.append(ToldLine(1, f"no IP addresses found for {name}"))
            return
        lines.append(ToldLine(1, f"checking addresses for {name}"))
        for one in addresses:
            lines.append(ToldLine(1, f"  {one} OK" if one == address else f"  {one}"))
            if one == address:
                return
        lines.append(ToldLine(1, f"no IP address for {name} matched {address}"))
