"""One question over TCP: for answers that were cut off in UDP (RFC 7766)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets

from pillarbox.system.dns.packet import answers_question, encode_query
from pillarbox.system.dns.servers import NameServer
from pillarbox.system.dns.udp import ServerSilent
from pillarbox.system.streams import send


async def ask_over_tcp(server: NameServer, question: bytes, timeout: float, *, edns: bool = True) -> bytes:
    """The packet that answers `question`, at most 65,535 bytes. Raises ServerSilent. `timeout` is for all of it."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(server.address, server.port)
            try:
                return await _exchange(reader, writer, question, edns)
            finally:
                writer.close()
    except TimeoutError:
        raise ServerSilent("timed out over TCP") from None
    except (OSError, asyncio.IncompleteReadError) as error:
        raise ServerSilent(f"failed over TCP: {error}") from None


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: bytes, edns: bool
) -> bytes:
    query = encode_query(secrets.randbits(16), question, edns=edns)
    send(writer, len(query).to_bytes(2, "big") + query)
    length = int.from_bytes(await reader.readexactly(2), "big")
    packet = await reader.readexactly(length)
    with contextlib.suppress(OSError):
        await writer.drain()
    if packet[:2] != query[:2] or not answers_question(packet, question):
        raise ServerSilent("answered something else over TCP")
    return packet
