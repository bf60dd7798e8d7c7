"""Speaking with a command as ourselves: its standard input and output are a connection."""

import pytest

from pillarbox.ports.localwork import CommandWork
from pillarbox.system.helper.own import OwnWork


def own() -> OwnWork:
    return OwnWork(lambda work, body, is_wanted: pytest.fail("no delivery"), lambda *login: False)


def script(text: str) -> CommandWork:
    return CommandWork(actor=None, arguments=("/bin/sh", "-c", text))


async def test_what_it_says_is_read_and_what_is_written_it_hears():
    talk = await own().converse(script("echo hello; read word; echo heard $word"))
    assert await talk.read(5) == b"hello\n"
    await talk.write(b"this\n", 5)
    assert await talk.read(5) == b"heard this\n"
    assert await talk.read(5) == b""
    talk.close()


async def test_a_command_that_cannot_be_run_says_nothing():
    talk = await own().converse(CommandWork(actor=None, arguments=("/no/such",)))
    assert await talk.read(5) == b""
    talk.close()


async def test_closing_ends_its_input():
    talk = await own().converse(script("cat >/dev/null"))
    talk.close()
    await talk.over.wait()
