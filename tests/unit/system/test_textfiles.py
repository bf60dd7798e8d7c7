"""Reading forward files and lists; login names."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from tests.support.clock import JumpClock

from pillarbox.ports.textfiles import TextFileTrouble
from pillarbox.system.passwd import PasswdUsers
from pillarbox.system.textfiles import LocalTextFiles


async def test_text_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"a, b\xff\n")
    files = LocalTextFiles()
    assert await files.read(str(tmp_path / "list")) == "a, b\udcff\n"
    assert await files.read(str(tmp_path / "none")) is None


async def test_trouble(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(b"x" * 11)
    files = LocalTextFiles()
    for path in ("fifo", "no/such", "large", "."):
        with pytest.raises(TextFileTrouble):
            await files.read(str(tmp_path / path), limit=10)
    with pytest.raises(TextFileTrouble):
        await files.read("relative")


def test_login_names_are_remembered_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def getpwnam(name: str) -> pwd.struct_passwd:
        asked.append(name)
        if name != "carol":
            raise KeyError(name)
        return pwd.struct_passwd(("carol", "x", 1000, 100, "", "/home/carol", "/bin/sh"))

    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
    clock = JumpClock()
    users = PasswdUsers(clock)
    for _ in range(3):
        found = users.find("carol")
        assert found is not None
        assert (found.uid, found.gid, found.home) == (1000, 100, "/home/carol")
        assert users.find("nobody-here") is None
    assert asked == ["carol", "nobody-here"]
    clock.jump(61)
    users.find("carol")
    assert asked[-1] == "carol"
    assert users.find("a\0b") is None
    assert PasswdUsers(clock, longest=4).find("carol") is None
    assert PasswdUsers(clock, longest=5).find("carol") is not None
