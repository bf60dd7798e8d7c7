"""`exim -bf` and `-bF` with what is no Exim filter, with both at once, and with options: as the real one, streams and exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.oracle.real_exim import MISSING, find_exim

pytestmark = pytest.mark.oracle

_OURS = Path(sys.executable).parent / "exim"
_MESSAGE = (Path(__file__).parent / "filters" / "messages" / "plain").read_bytes()
_FILES = {
    "system": '# Exim filter\nadd 3 to n2 headers add "X: y"',
    "user": '# Exim filter\ntestprint "$sn2 $n2 $h_x:"',
    "broken": "# Exim filter\nnothing",
    "empty": "",
    "forward": 'a@b, |cmd foo\n/file, /dir/, "|cmd a, b"\nfoo (c), # x\n#y\nbar, <q@r>, "a b"@c, a@b, \\root',
    "blackhole": "a@b, :blackhole:",
    "fail": ":fail: no",
    "bad": "a@b\nbad address\nc@d",
    "quote": '"|x',
}
_COMMANDS = [
    "-bF system -bf user", "-bF broken -bf user", "-bF nofile -bf user", "-bf nofile", "-bf .", "-bf", "-bF", "-bfd",
    "-bf user extra", "-bf user -f bob -bfd x.y -bfl q", "-bf user -f <> -bfp p- -bfs -s", "-bF forward", "-bF empty",
    "-bf empty", "-bf forward", "-bf blackhole", "-bf fail", "-bf bad", "-bf quote",
]  # fmt: skip


def answer(program: str, command: str, folder: Path) -> tuple[bytes, bytes, int]:
    words = [program, "-C", str(folder / "exim.conf"), *command.split()]
    done = subprocess.run(words, input=_MESSAGE, capture_output=True, timeout=30, check=False, cwd=folder)
    return done.stdout, done.stderr, done.returncode


@pytest.mark.parametrize("command", _COMMANDS)
def test_says_what_exim_says(command: str, tmp_path: Path) -> None:
    exim = find_exim()
    if exim is None:
        pytest.skip(MISSING)
    for name, text in _FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "exim.conf").write_text(
        f"primary_hostname = mail.example.org\nspool_directory = {tmp_path}/spool\nlog_file_path = {tmp_path}/%slog\n"
    )
    assert answer(str(_OURS), command, tmp_path) == answer(exim, command, tmp_path)
