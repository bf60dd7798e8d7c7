"""The kinds of virus scanner that `av_scanner` may name: `clamd`, `cmdline`, `sock` (Exim 45.1). Others are for products that are no more.

Each gives the name of what it found, empty for nothing. A `cmdline` scanner is run by the shell, as its pipelines need it; all that is put
into the command is the name of a directory of ours. Known gaps: `avast`, `pass_unscanned`; a `sock` scanner must close the connection behind
its answer.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from pillarbox.config.errors import OptionError
from pillarbox.config.numbers import parse_duration
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.expand.octets import octets
from pillarbox.language.regex import Regex, RegexError, compile_regex
from pillarbox.ports.commands import CommandRefused, Commands
from pillarbox.ports.scan_files import ScanFiles
from pillarbox.ports.sockets import Sockets, SocketTrouble, SocketWish

LONGEST_ANSWER = 256 * 1024
_PIECE = 1 << 20
_SERVERS_MAX = 32


class ScannerTrouble(Exception):
    """It cannot be said whether there is a virus. `str()` is for the log: `clamd [192.0.2.1]:3310 : why`."""


class Scan:
    """One message for one scanner; `callout_address` is where it was connected to."""

    def __init__(self, data: bytes, state: AclState, timeout: float) -> None:
        self.data = data
        self.state = state
        self.timeout = timeout
        self.callout_address = ""

    def note(self, text: str) -> None:
        self.state.log(f"malware acl condition: {text}", self.state.services.log.panic)

    async def path(self) -> str:
        """The message in a file."""
        files = self.state.scope.facet(ScanFiles)  # type: ignore[type-abstract]
        assert files is not None
        name = f"{self.state.facts.id}.eml"
        try:
            return await files.keep(self.state.facts.id, name, self.data)
        except OSError as error:
            raise ScannerTrouble(f"error while creating mbox spool file: {error.strerror}") from None

    async def ask(self, wish: SocketWish) -> bytes:
        """Raises SocketTrouble."""
        sockets = self.state.scope.facet(Sockets)  # type: ignore[type-abstract]
        assert sockets is not None
        self.callout_address = wish.path or f"[{wish.host}]:{wish.port}"
        return await sockets.ask(wish, timeout=self.timeout, limit=LONGEST_ANSWER)


async def clamd(options: list[str], scan: Scan) -> str:
    """`/path/of/socket`, or `address port [retry=10s]` items; `local`: tell it the file's name."""
    specified = options or ["/tmp/clamd"]
    is_local = specified[0].startswith("/")
    tells_path = is_local or "local" in specified
    servers = [specified] if is_local else _servers(specified, scan)
    for server in servers:
        where = server[0] if is_local else f"[{server[0]}]:{server[1]}"
        request = b"zINSTREAM\0" + _in_pieces(scan.data)
        if tells_path:
            request = octets(f"SCAN {await scan.path()}\n")
        answer = await _connected(server, request, scan, where)
        if answer is not None:
            return _clamd_says(answer.rstrip(b"\0\n").decode("utf-8", "replace"), f"clamd {where} : ")
    raise ScannerTrouble("clamd  : all servers failed")


def _servers(specified: list[str], scan: Scan) -> list[list[str]]:
    """In any order: the load is to be shared."""
    servers: list[list[str]] = []
    for each in specified[:_SERVERS_MAX]:
        words = each.split()
        if len(words) > 1:
            servers.append(words)
        elif each != "local":
            scan.note(f"clamd  : missing port: '{each}'")
    if not servers:
        raise ScannerTrouble("clamd  : no useable server addresses in malware configuration option.")
    random.shuffle(servers)
    return servers


async def _connected(server: list[str], request: bytes, scan: Scan, where: str) -> bytes | None:
    """The answer; None: nobody is there, and that is noted."""
    if server[0].startswith("/"):
        return await _asked_here(server[0], request, scan, "clamd")
    retry = next((each[6:] for each in server if each.startswith("retry=")), "")
    wish = SocketWish(host=server[0], port=server[1], request=request, shuts_down=False)
    for wait in (retry, ""):
        try:
            return await scan.ask(wish)
        except SocketTrouble as trouble:
            if "no IP address" in str(trouble):
                scan.note(f"clamd  : {trouble}")
                return None
            if "connect" not in str(trouble):
                raise ScannerTrouble(f"clamd {where} : unable to read from socket ({trouble})") from None
            if not wait:
                scan.note(f"clamd {where} : {trouble}")
                return None
        try:
            await scan.state.scope.services.clock.sleep(min(parse_duration(wait), scan.timeout))
        except OptionError:
            return None
    return None


async def _asked_here(path: str, request: bytes, scan: Scan, who: str) -> bytes:
    """A scanner on this machine. Raises ScannerTrouble."""
    try:
        return await scan.ask(SocketWish(path=path, request=request, shuts_down=False))
    except SocketTrouble as trouble:
        text = str(trouble)
        if "connect" in text:
            text = f"unable to connect to UNIX socket ({path}): {text.rpartition(': ')[2]}"
        raise ScannerTrouble(f"{who} {path} : {text}") from None


def _in_pieces(data: bytes) -> bytes:
    pieces = [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)]
    return b"".join(struct.pack(">I", len(piece)) + piece for piece in pieces) + b"\0\0\0\0"


def _clamd_says(answer: str, who: str) -> str:
    if not answer:
        raise ScannerTrouble(f"{who}ClamAV returned null")
    _, colon, told = answer.partition(":")
    if not colon:
        raise ScannerTrouble(f"{who}ClamAV returned malformed result (missing colon): {answer}")
    told = told.strip()
    if told.endswith("OK"):
        return ""
    if told.endswith("FOUND"):
        return told.removesuffix("FOUND").strip().partition(" ")[0]
    if told.endswith("ERROR"):
        raise ScannerTrouble(f"{who}ClamAV returned: {answer}")
    raise ScannerTrouble(f"{who}unparseable response from ClamAV: {{{answer}}}")


async def cmdline(options: list[str], scan: Scan) -> str:
    """`command with %s : expression for "found" : expression for the name`."""
    if not options or not options[0]:
        raise ScannerTrouble("cmdline  : missing command line specification")
    signs = _signs(options[1:], "cmdline")
    commands = scan.state.scope.facet(Commands)  # type: ignore[type-abstract]
    assert commands is not None
    folder = (await scan.path()).rpartition("/")[0]
    words = ("/bin/sh", "-c", options[0].replace("%s", folder, 1))
    try:
        ended = await commands.run(words, timeout=scan.timeout, limit=LONGEST_ANSWER)
    except CommandRefused as refused:
        raise ScannerTrouble(f"cmdline  : {refused}") from None
    if ended.code:
        code = ended.code << 8 if ended.code > 0 else -ended.code
        raise ScannerTrouble(f"cmdline  : scanner returned error code: {code}")
    for line in ended.output.decode("utf-8", "surrogateescape").splitlines():
        if found := signs.named(line):
            return found
    return ""


async def sock(options: list[str], scan: Scan) -> str:
    """`/path or address port : command with %s : expression for "found" : expression for the name`."""
    place = (options[0] if options else "/tmp/malware.sock").split() or [""]
    command = (options[1] if len(options) > 1 and options[1] else "%s\n").replace("%s", await scan.path(), 1)
    if place[0].startswith("/"):
        answer = await _asked_here(place[0], octets(command), scan, "sock")
    else:
        wish = SocketWish(
            host=place[0],
            port="".join(place[1:2]),
            request=octets(command),
            shuts_down=False,
        )
        try:
            answer = await scan.ask(wish)
        except SocketTrouble as trouble:
            raise ScannerTrouble(f"sock {scan.callout_address} : {trouble}") from None
    return _signs(options[2:], "sock").named(answer.decode("utf-8", "surrogateescape"))


class _Signs(NamedTuple):
    """What tells of a virus in a scanner's answer."""

    who: str
    trigger: Regex
    name: Regex

    def named(self, text: str) -> str:
        """What the scanner found; `unknown` where the name cannot be read. Raises ScannerTrouble."""
        try:
            if not self.trigger.matches(text):
                return ""
            found = self.name.search(text)
        except RegexError as error:
            raise ScannerTrouble(f"{self.who}  : {error}") from None
        return found[1] if found is not None and len(found) > 1 else "unknown"


def _signs(given: list[str], who: str) -> _Signs:
    """Raises ScannerTrouble."""
    regexes: list[Regex] = []
    for text, what in zip([*given, "", ""], ("trigger", "virus name regex"), strict=False):
        if not text:
            raise ScannerTrouble(f"{who}  : missing {what} specification")
        try:
            regexes.append(compile_regex(text))
        except RegexError as error:
            raise ScannerTrouble(f"{who}  : {error}") from None
    return _Signs(who, *regexes)


SCANNERS: dict[str, Callable[[list[str], Scan], Awaitable[str]]] = {
    "clamd": clamd,
    "cmdline": cmdline,
    "sock": sock,
}
