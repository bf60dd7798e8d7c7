"""The kinds of virus scanner that `av_scanner` may name: `clamd`, `cmdline`, `sock` (Exim 45.1). Others are for products that are no more.

Each gives the name of what it found, empty for nothing. A `cmdline` scanner is run by the shell, as its pipelines need it; all that is put
into the command is the name of a directory of ours. Known gaps: `avast`, `pass_unscanned`; a `sock` scanner must close the connection behind
its answer.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Awaitable, Callable

from pillarbox.config.errors import OptionError
from pillarbox.config.numbers import parse_duration
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.regex import RegexError, compile_regex
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
    tells_path = "local" in specified or specified[0].startswith("/")
    servers = [each.split() for each in specified if each != "local"][:_SERVERS_MAX]
    random.shuffle(servers)
    for server in servers:
        where = server[0] if server[0].startswith("/") else f"[{server[0]}]:{''.join(server[1:2])}"
        request = b"zINSTREAM\0" + _in_pieces(scan.data)
        if tells_path:
            request = f"SCAN {await scan.path()}\n".encode()
        answer = await _connected(server, request, scan, where)
        if answer is not None:
            return _clamd_says(answer.rstrip(b"\0\n").decode("utf-8", "replace"), f"clamd {where} : ")
    raise ScannerTrouble("clamd  : all servers failed")


async def _connected(server: list[str], request: bytes, scan: Scan, where: str) -> bytes | None:
    """The answer; None: nobody is there, and that is noted."""
    retry = next((each[6:] for each in server if each.startswith("retry=")), "")
    wish = SocketWish(host=server[0], port="".join(server[1:2]), request=request, shuts_down=False)
    if server[0].startswith("/"):
        wish = SocketWish(path=server[0], request=request, shuts_down=False)
    for wait in (retry, ""):
        try:
            return await scan.ask(wish)
        except SocketTrouble as trouble:
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
    if len(options) < 3 or not all(options[:3]):
        raise ScannerTrouble("cmdline  : missing command line, trigger or name specification")
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
        if found := _named(line, options[1], options[2], "cmdline"):
            return found
    return ""


async def sock(options: list[str], scan: Scan) -> str:
    """`/path or address port : command with %s : expression for "found" : expression for the name`."""
    if len(options) < 4 or not options[0]:
        raise ScannerTrouble("sock  : missing trigger or name specification")
    command = (options[1] or "%s\n").replace("%s", await scan.path(), 1)
    place = options[0].split()
    wish = SocketWish(host=place[0], port="".join(place[1:2]), request=command.encode(), shuts_down=False)
    if place[0].startswith("/"):
        wish = SocketWish(path=place[0], request=command.encode(), shuts_down=False)
    try:
        answer = await scan.ask(wish)
    except SocketTrouble as trouble:
        raise ScannerTrouble(f"sock {scan.callout_address} : {trouble}") from None
    return _named(answer.decode("utf-8", "surrogateescape"), options[2], options[3], "sock")


def _named(text: str, trigger: str, name: str, who: str) -> str:
    """What the scanner found; `unknown` where the name cannot be read."""
    try:
        if not compile_regex(trigger).matches(text):
            return ""
        found = compile_regex(name).search(text)
    except RegexError as error:
        raise ScannerTrouble(f"{who}  : {error}") from None
    return found[1] if found is not None and len(found) > 1 else "unknown"


SCANNERS: dict[str, Callable[[list[str], Scan], Awaitable[str]]] = {
    "clamd": clamd,
    "cmdline": cmdline,
    "sock": sock,
}
