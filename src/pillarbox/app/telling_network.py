"""What goes over SMTP connections, told on standard error while it happens (`-v`; Exim 5.3).

`SMTP<<` comes from the other host, `SMTP>>` goes to it, `SMTP|>` is a command behind which another one follows at once, `SMTP+>` one with which
something else goes out. What is sent in a login exchange is not told. Behind the end of a connection stands what was said in it, in short.
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
_QUIT = b"QUIT\r\n"
_ENDS_LOGIN = re.compile(r"[245]\d\d[ -]")
_IPV4 = 1
_SHORT = 8
"""Characters of a command, in short."""


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
        """Where Fast Open is tried, Exim learns only behind its `connected` that there is nobody."""
        wish = socket or SocketWish()
        is_fast = wish.fast_open == "try"
        if wish.fast_open == "too_late":
            say("Clearing TFO as not first host for message")
        where = f"{wish.host} {wish.proxied or f'[{address}]:{port}'}".lstrip()
        say(
            f"Connecting to {where} {f'from {interface} ' if interface else ''}{'(proxy option set) ' if wish.proxied else ''}..."
        )
        if is_fast:
            say(f" TFO mode sendto, {'with' if wish.proxied else 'no'} data: EINPROGRESS")
        try:
            connection = await self._network.connect(
                address, port, timeout=timeout, interface=interface, tls=tls, socket=socket
            )
        except DialError as error:
            say(
                f"connected\n  SMTP({error})<<\ncmdlog: (unset)"
                if is_fast
                else f" sock_connect failed: {error}\ncmdlog: (unset)"
            )
            raise
        say("connected")
        return TellingConnection(connection, is_secure=tls is not None, is_proxied=bool(wish.proxied))

    async def connect_unix(self, path: str, *, timeout: float) -> Connection:
        return TellingConnection(await self._network.connect_unix(path, timeout=timeout))

    def local_addresses(self) -> frozenset[str]:
        return self._network.local_addresses()


class TellingConnection:
    """Tells commands and replies, of a message only that it is sent."""

    def __init__(self, connection: Connection, *, is_secure: bool = False, is_proxied: bool = False) -> None:
        self._connection = connection
        self._is_secure = is_secure
        self._is_with_proxy = is_proxied
        """It talks with the proxy still."""
        self._is_message = False
        self._is_writing = False
        self._is_login = False
        self._has_mail = False
        self._is_timed_out = False
        self._has_ended = False
        self._awaits_data_reply = False
        self._chunk_left = 0
        self._tail = b"\r\n"
        """Of what was written of the message."""
        self._said: list[str] = []
        """Commands and codes."""

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
        try:
            data = await self._connection.read(timeout)
        except DialError as error:
            self._is_timed_out = error.error == "timeout"
            say("  SMTP(Connection timed out)<<" if self._is_timed_out else f"  SMTP({error})<<")
            raise
        if self._is_with_proxy:
            say(f"  SOCKS<< {data.hex(' ')}")
            if len(data) >= 10 and data[3] == _IPV4:
                address = ".".join(str(octet) for octet in data[4:8])
                say(f"  proxy farside: [{address}]:{int.from_bytes(data[8:10], 'big')}")
        elif data:
            self._tell_replies(data)
        else:
            self._has_ended = True
            say("  SMTP(closed)<<")
        return data

    def unread(self, data: bytes) -> None:
        self._is_with_proxy = False
        self._connection.unread(data)

    async def write(self, data: bytes, timeout: float) -> None:
        self._tell_sent(data)
        await self._connection.write(data, timeout)

    async def start_tls(self, wish: TlsWish, timeout: float) -> None:
        self._is_secure = True
        await self._connection.start_tls(wish, timeout)

    def as_server(self) -> ServedConnection:
        """What comes on it as a server is not told."""
        return self._connection.as_server()

    def close(self) -> None:
        if self._is_timed_out and self._has_mail and not self._is_secure:
            say("  SMTP(shutdown)>>\n  SMTP(closed)<<")
        say("  SMTP(close)>>")
        say(f"cmdlog: '{':'.join(self._said)}'" if self._said else "cmdlog: (unset)")
        self._connection.close()

    def _tell_replies(self, data: bytes) -> None:
        """Further lines of a reply stand below its first."""
        is_further = False
        for line in data.decode("utf-8", "replace").splitlines():
            say(f"{'         ' if is_further else '  SMTP<< '}{line}")
            if not is_further:
                self._said.append(line[:4] if line[3:4] == "-" else line[:3])
            is_further = line[3:4] == "-"
            if self._is_login and _ENDS_LOGIN.match(
                line
            ):  # and not the rest of a challenge that came in pieces
                self._is_login = False
            if self._awaits_data_reply and line[3:4] != "-" and line[:1] in "345":
                self._is_message = line.startswith("354")
                self._awaits_data_reply = not self._is_message

    def _tell_sent(self, data: bytes) -> None:
        if self._is_with_proxy:
            say(f"  SOCKS>> {data.hex(' ')}")
        elif self._chunk_left:
            self._chunk_left = max(0, self._chunk_left - len(data))
        elif self._is_message:
            self._tell_message(data)
        else:
            self._tell_commands(data)

    def _tell_message(self, data: bytes) -> None:
        if not self._is_writing:
            say("  SMTP>> (writing message)")
        self._is_writing = True
        end = (self._tail + data)[-len(_END_OF_DATA + _QUIT) :]
        self._tail = end
        is_last = end.endswith(_END_OF_DATA + _QUIT)
        if is_last or end.endswith(_END_OF_DATA):
            self._is_message = self._is_writing = False
            self._tail = b"\r\n"
            self._tell(".", "+" if is_last else ">")
            if is_last:
                self._tell_commands(_QUIT)

    def _tell_commands(self, data: bytes) -> None:
        while data:
            line, _, data = data.partition(b"\r\n")
            command = line.decode("utf-8", "replace")
            if self._is_login:
                command = "*" * len(command)
            elif found := re.match(r"(AUTH \S+ ?)(.*)", command, re.IGNORECASE):
                self._is_login = True
                command = found[1] + "*" * len(found[2])
            if found := re.fullmatch(r"BDAT (\d+)(?: LAST)?", command, re.IGNORECASE):
                if not self._is_writing:
                    say("         will write message using CHUNKING")
                self._is_writing = not command.endswith("LAST")
                self._tell(command, "+")
                self._chunk_left = max(0, int(found[1]) - len(data))
                data = data[int(found[1]) :]
            elif command == "QUIT" and self._has_mail and not self._is_secure:
                self._tell(command, "+")
                say("  SMTP(shutdown)>>")
            else:
                self._tell(command, "|" if data else ">")
            self._awaits_data_reply = self._awaits_data_reply or command.upper() == "DATA"

    def _tell(self, command: str, mark: str) -> None:
        """`>`: it is waited for, `|`: another one follows, `+`: goes out with what follows."""
        say(f"  SMTP{mark}> {command}")
        self._has_mail = self._has_mail or command.startswith("MAIL ")
        self._said.append(command.partition(" ")[0][:_SHORT] + mark.replace(">", ""))
