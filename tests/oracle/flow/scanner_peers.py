"""Scripted content scanners of a `Town`: clamd, spamd, and one for `av_scanner = sock:`. What they answer depends on what they were sent, so
that a difference in that shows: the checksum of the message without its times and ids is the name of the virus, or part of the report.
"""

from __future__ import annotations

import asyncio
import re
import struct
import zlib

_TRACE = re.compile(rb"(?m)^(From |Received:).*\n([ \t].*\n)*")
_ID = re.compile(rb"\b[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4}\b")
_PATH = re.compile(rb"/\S*/box/")
_REPORT = """\
Spam detection software, running on the system "x",
has identified this as {sum}.
 pts rule name
---- ---------
 1.5 SOME_RULE

 0.5 OTHER

"""


def checksum(data: bytes) -> str:
    data = _PATH.sub(b"/", _ID.sub(b"ID", _TRACE.sub(b"", data.replace(b"\r\n", b"\n"))))
    return f"{zlib.crc32(data):08x}"


async def serve(address: str, kind: str) -> None:
    """`address`: `10.0.0.60:3310`. `kind`: what it speaks, perhaps with an argument behind a space."""
    host, _, port = address.rpartition(":")
    word, _, rest = kind.partition(" ")

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await {"clamd": _clamd, "spamd": _spamd, "sock": _sock, "says": _say}[word](reader, rest)
            writer.write(answer)
            await writer.drain()
            writer.write_eof()
            # What is closed with words unread is reset, and the answer may be lost.
            async with asyncio.timeout(2):
                await reader.read()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    await asyncio.start_server(talk, host, int(port))


async def _clamd(reader: asyncio.StreamReader, rest: str) -> bytes:
    command = await reader.readuntil(b"\n") if rest == "local" else await reader.readexactly(10)
    if command.strip(b"zn\0\n") != b"INSTREAM":
        name = _PATH.sub(b"/", _ID.sub(b"ID", command.strip())).decode()
        return f"/x/y.eml: {name.replace(' ', '_')} FOUND\n".encode()
    data = b""
    while size := struct.unpack(">I", await reader.readexactly(4))[0]:
        data += await reader.readexactly(size)
    if b"clean" in data:
        return b"stream: OK\0"
    if b"broken" in data:
        return b"stream: Something went wrong ERROR\0"
    if b"garbage" in data:
        return b"what\0"
    return f"stream: Test.{checksum(data)} FOUND\0".encode()


async def _spamd(reader: asyncio.StreamReader, rest: str) -> bytes:
    data = await reader.read(-1)
    head, _, message = data.partition(b"\r\n\r\n")
    asked = re.sub(rb"(?i)content-length: \d+", b"content-length: N", head).decode()
    score = rest or ("7.3" if b"spammy" in message else "-2.4" if b"hammy" in message else "1.5")
    report = _REPORT.format(sum=f"{checksum(message)} {asked!r}")
    if b"newer" in message:
        verdict = "True" if float(score) >= 5 else "False"
        return f"SPAMD/1.1 0 EX_OK\r\nSpam: {verdict} ; {score} / 5.0\r\n\r\n{report}".encode()
    told = f"{score}/5.0\r\n{report}"
    return f"SPAMD/1.1 0 EX_OK\r\nContent-length: {len(told)}\r\n\r\n{told}".encode()


async def _sock(reader: asyncio.StreamReader, rest: str) -> bytes:
    data = await reader.read(1000)
    return b"answer to " + _PATH.sub(b"/", _ID.sub(b"ID", data.strip())) + b" VIRUS: some name\n"


async def _say(reader: asyncio.StreamReader, rest: str) -> bytes:
    """The same whatever it hears."""
    await reader.read(10)
    return rest.encode().decode("unicode_escape").encode()
