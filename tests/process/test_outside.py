"""Real commands, sockets and crypt(3), as expansions use them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pillarbox.ports.commands import CommandRefused
from pillarbox.ports.sockets import SocketTrouble, SocketWish
from pillarbox.system.commands import SystemCommands
from pillarbox.system.passwords import SystemPasswords
from pillarbox.system.sockets import SystemSockets


async def test_output_and_code_of_a_command() -> None:
    result = await SystemCommands(lambda: {"A": "b"}).run(
        ("/bin/sh", "-c", "echo $A; echo err >&2; exit 3"), timeout=10, limit=100
    )
    assert (result.code, result.output) == (3, b"b\nerr\n")


async def test_no_such_program() -> None:
    assert (await SystemCommands().run(("/nonexistent",), timeout=1, limit=1)).code == 127


async def test_a_command_is_stopped_at_its_limits() -> None:
    commands = SystemCommands()
    with pytest.raises(CommandRefused, match="timed out"):
        await commands.run(("/bin/sleep", "60"), timeout=0.05, limit=100)
    for _ in range(20):  # stopped at any point of its reading
        with pytest.raises(CommandRefused, match="exceeds 1000 bytes"):
            await commands.run(("/bin/cat", "/dev/zero"), timeout=10, limit=1000)


async def test_nobody_waits_for_a_pipe_that_a_daemon_holds() -> None:
    """`ended` by its time-out, although the pipe stays open in another session."""
    start = "setsid sleep 5 & exit 0"
    with pytest.raises(CommandRefused, match="timed out"):
        await asyncio.wait_for(SystemCommands().run(("/bin/sh", "-c", start), timeout=0.3, limit=9), 4)


async def test_a_socket_is_read_to_its_end(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"got " + await reader.read())
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "s")
    async with server:
        wish = SocketWish(path=str(tmp_path / "s"), request=b"this")
        assert await SystemSockets().ask(wish, timeout=5, limit=100) == b"got this"
        with pytest.raises(SocketTrouble, match="exceeds 3 bytes"):
            await SystemSockets().ask(wish, timeout=5, limit=3)


async def test_a_silent_server_is_given_up(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        await asyncio.sleep(60)

    server = await asyncio.start_unix_server(serve, tmp_path / "s")
    with pytest.raises(SocketTrouble, match="socket read timed out"):
        await SystemSockets().ask(SocketWish(path=str(tmp_path / "s")), timeout=0.05, limit=100)
    server.close()


async def test_crypt() -> None:
    passwords = SystemPasswords()
    setting = b"$1$abcdefgh$irWbblnpmw.5z7wgBnprh0"
    assert await passwords.crypt(b"test", setting) == setting
    assert await passwords.crypt(b"test", b"!!") is None
