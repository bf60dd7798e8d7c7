"""Exim 3 configurations: what `config convert` prints is taken by the real Exim 4, and routes as Pillarbox routes by the original."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.oracle

_OURS = Path(sys.executable).parent
_REPOSITORY = Path(__file__).parents[2]
_REFERENCE = Path(os.environ.get("PILLARBOX_REFERENCE", _REPOSITORY.parent / "shared" / "reference"))
_OWN = sorted((_REPOSITORY / "tests" / "configurations" / "exim3").glob("*.conf"))
_GIVEN = sorted((_REFERENCE / "configs").glob("exim3-*.conf"))
ADDRESSES = (
    "root@{host}",
    "www-data@{host}",
    "no-such-user@{host}",
    "postmaster@{host}",
    "loop1@{host}",
    "refused@{host}",
    "list@{host}",
    "outside@{host}",
    "someone@[192.0.2.77]",
)
ALIASES = """\
postmaster: root
loop1: loop2, games
loop2: loop1
refused: :fail: not here any more
list: www-data, games
outside: someone@[192.0.2.78]
"""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)


def in_sandbox(source: Path, folder: Path) -> Path:
    """The configuration with the files it names inside `folder`."""
    (folder / "aliases").write_text(ALIASES)
    (folder / "mail").mkdir()
    text = source.read_text().replace("/etc/aliases", str(folder / "aliases"))
    text = text.replace("/var/spool/mail", str(folder / "mail"))
    copy = folder / "exim3.conf"
    head = f"primary_hostname = mail.example.org\nspool_directory = {folder}/spool\nlog_file_path = {folder}/log-%s\n"
    copy.write_text(head + text)
    copy.chmod(0o644)
    (folder / "spool").mkdir()
    return copy


@pytest.mark.parametrize("source", [*_OWN, *_GIVEN], ids=lambda path: path.stem)
def test_converts_to_what_exim_4_takes_and_routes_alike(exim: str, source: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    old = in_sandbox(source, tmp_path)
    new = tmp_path / "exim4.conf"
    converted = run(_OURS / "pillarbox", "config", "convert", old, "-o", new)
    assert (converted.returncode, converted.stderr) == (0, "")
    new.chmod(0o644)
    taken = run(exim, "-C", new, "-bV")
    assert taken.returncode == 0, taken.stdout + taken.stderr
    checked = run(_OURS / "pillarbox", "config", "check", old)
    assert checked.returncode == 0, checked.stderr
    local = "localhost" if "localhost" in source.read_text() else "mail.example.org"
    addresses = [pattern.format(host=local) for pattern in ADDRESSES]
    theirs = run(exim, "-C", new, "-bt", *addresses)
    ours = run(_OURS / "exim", "-C", old, "-bt", *addresses)
    assert (ours.returncode, without_hosts(ours.stdout)) == (theirs.returncode, without_hosts(theirs.stdout))


def without_hosts(text: str) -> list[str]:
    return [line for line in text.split("\n") if not line.startswith("  host ")]


@pytest.mark.skipif(not _GIVEN, reason="the reference configurations are not here (PILLARBOX_REFERENCE)")
@pytest.mark.parametrize("source", _GIVEN, ids=lambda path: path.stem)
def test_loads_the_reference_as_it_stands(source: Path) -> None:
    loaded = run(_OURS / "exim", "-C", source, "-bV")
    assert (loaded.returncode, loaded.stderr) == (0, "")


def test_does_not_write_over_a_file(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_text("end\n")
    target.write_text("kept")
    result = run(_OURS / "pillarbox", "config", "convert", source, "-o", target)
    assert result.returncode == 1
    assert str(target) in result.stderr
    assert target.read_text() == "kept"


def test_says_that_it_is_no_exim_3_configuration(tmp_path: Path) -> None:
    source = tmp_path / "a"
    source.write_text("begin routers\n")
    result = run(_OURS / "pillarbox", "config", "convert", source)
    assert result.returncode == 1
    assert "no Exim 3 configuration" in result.stderr
