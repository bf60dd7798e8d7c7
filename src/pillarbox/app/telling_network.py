"""What goes over SMTP connections, told on standard error while it happens (`-v`; Exim 5.3).

`SMTP<<` comes from the other host, `SMTP>>` goes to it, `SMTP|>` is a command behind which another one follows at once. What is sent in a login
exchange is not told.
"""

from __future__ import annotations

import re
import sys

from pillarbox.ports.network import (
    Connection,
    DialError,
    Network,
    ServedConnection,
    SocketWish,
    TlsSession,
    TlsWish,
)

_END_OF_DATA = b"\r\n.\r\n"
_ENDS_LOGIN = re.compile(r"[245]\d\d[ -]")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class TellingNetwork:
    """Over another one."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def connect(
        self,
        address: str,
        port: int,
        *,
        timeout: float,
        interface: str = "",
        tls: TlsWish | None = None,
        socket: SocketWish | None = None,
    ) -> Connection:
        say(f"Connecting to [{address}]:{port} ...")
        try:
            connection = await self._network.connect(
                address, port, timeout=timeout, interface=interface, tls=tls, socket=socket
            )
        except DialError as error:
            say(f"failed: {error}")
            raise
        say("connected")
        return TellingConnection(connection)

    async def connect_unix(self, path: str, *, timeout: float) -> Connection:
        return TellingConnection(await self._network.connect_unix(path, timeout=timeout))

    def local_addresses(self) -> frozenset[str]:
        return self._network.local_addresses()


class TellingConnection:
    """Tells commands and replies, of a message only that it is sent."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_message = False
        self._is_login = False
        self._awaits_data_reply = False
        self._chunk_left = 0

    @property
    def tls_cipher(self) -> str:
        return self._connection.tls_cipher

    @property
    def is_verified(self) -> bool:
        return self._connection.is_verified

    @property
    def peer_name(self) -> str:
        return self._connection.peer_name

    @property
    def local_address(self) -> tuple[str, int]:
        return self._connection.local_address

    def peer_chain(self) -> list[bytes]:
        return self._connection.peer_chain()

    def tls_session(self) -> TlsSession | None:
        return self._connection.tls_session()

    async def read(self, timeout: float) -> bytes:
        data = await self._connection.read(timeout)
        self._tell_replies(data)
        return data

    def unread(self, data: bytes) -> None:
        self._connection.unread(data)

    async def write(self, data: bytes, timeout: float) -> None:
        self._tell_sent(data)
        await self._connection.write(data, timeout)

    async def start_tls(self, wish: TlsWish, timeout: float) -> None:
        await self._connection.start_tls(wish, timeout)

    def as_server(self) -> ServedConnection:
        """What comes on it as a server is not told."""
        return self._connection.as_server()

    def close(self) -> None:
        say("  SMTP(close)>>")
        self._connection.close()

    def _tell_replies(self, data: bytes) -> None:
        """Further lines of a reply stand below its first."""
        is_further = False
        for line in data.decode("utf-8", "replace").splitlines():
            say(f"{'         ' if is_further else '  SMTP<< '}{line}")
            is_further = line[3:4] == "-"
            if self._is_login and _ENDS_LOGIN.match(
                line
            ):  # and not the rest of a challenge that came in pieces
                self._is_login = False
            if self._awaits_data_reply and line[3:4] != "-" and line[:1] in "345":
                self._is_message = line.startswith("354")
                self._awaits_data_reply = not self._is_message

    def _tell_sent(self, data: bytes) -> None:
        if self._chunk_left:
            self._chunk_left = max(0, self._chunk_left - len(data))
        elif self._is_message:
            self._tell_message(data)
        else:
            self._tell_commands(data)

    def _tell_message(self, data: bytes) -> None:
        say("  SMTP>> (writing message)")
        if data.endswith(_END_OF_DATA) or data == _END_OF_DATA[2:]:
            self._is_message = False
            say("  SMTP>> .")

    def _tell_commands(self, data: bytes) -> None:
        while data:
            line, _, data = data.partition(b"\r\n")
            arrow = "SMTP|>" if data else "SMTP>>"
            command = line.decode("utf-8", "replace")
            if self._is_login:
                command = "*" * len(command)
            elif found := re.match(r"(AUTH \S+ ?)(.*)", command, re.IGNORECASE):
                self._is_login = True
                command = found[1] + "*" * len(found[2])
            say(f"  {arrow} {command}")
            if command.upper() == "DATA":
                self._awaits_data_reply = True
            elif found := re.fullmatch(r"BDAT (\d+)(?: LAST)?", command, re.IGNORECASE):
                self._chunk_left = max(0, int(found[1]) - len(data))
                say("  SMTP>> (writing message)")
                data = data[int(found[1]) :]
