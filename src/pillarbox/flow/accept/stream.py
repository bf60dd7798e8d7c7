"""What a session speaks through: a connection whose TLS is the server's side."""

from __future__ import annotations

from typing import Protocol


class ServerStream(Protocol):
    """See ports.network.Connection; all raise DialError when the connection is lost or late."""

    @property
    def tls_cipher(self) -> str: ...

    @property
    def tls_sni(self) -> str: ...

    @property
    def peer_address(self) -> tuple[str, int]: ...

    @property
    def local_address(self) -> tuple[str, int]: ...

    @property
    def awaits_input(self) -> bool:
        """Whether the session waits for the client, in `read`."""
        ...

    async def read(self, timeout: float) -> bytes: ...

    async def write(self, data: bytes, timeout: float) -> None: ...

    async def start_tls_server(self, timeout: float) -> None:
        """The server's side of a handshake, with the certificate of the present configuration. Raises DialError("tls")."""
        ...

    def channel_bindings(self) -> dict[str, bytes]: ...

    def close(self) -> None: ...
