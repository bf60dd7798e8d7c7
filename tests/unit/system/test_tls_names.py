"""A host's name may come from a client (`route_data = $domain`): TLS is begun with it like with any other."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import uvloop

from pillarbox.mail.taint import Tainted
from pillarbox.ports.network import TlsWish
from pillarbox.system.dial import SystemNetwork
from pillarbox.system.tls import make_self_signed


def test_tls_with_a_name_that_a_client_has_said(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate", tmp_path / "key"
    make_self_signed(certificate, key, ("mx.example",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx.example\r\n")
        await writer.drain()

    async def talk() -> bytes:
        server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            wish = TlsWish(server_name=Tainted("mx.example"))
            connection = await SystemNetwork().connect("127.0.0.1", port, timeout=10, tls=wish)
            said = await connection.read(10)
            connection.abort()
        return said

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(talk()) == b"220 mx.example\r\n"
