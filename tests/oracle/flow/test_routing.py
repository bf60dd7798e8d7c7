"""`-bt`, `-bv` and `-bvs`, word for word as the real one prints them: output, complaints and exit code.

Each `routing/NAME.conf` is a configuration with `DIR` for its folder; `#@` lines hold addresses, `#!` lines the options to try (none: -bt),
and `#=== FILE [MODE]` begins a file beside it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.oracle import debian
from tests.oracle.real_exim import MISSING, find_exim

pytestmark = pytest.mark.oracle

_OURS = Path(sys.executable).parent / "exim"
_CASES = sorted((Path(__file__).parent / "routing").glob("*.conf"))
_FILE = re.compile(r"^#=== (\S+)(?: (\d+))?\n", re.MULTILINE)
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")
_DEBIAN = (
    "root@example.org postmaster@example.org mail@example.org nosuch@example.org alias@example.org "
    "fail@example.org incl@example.org pipe@example.org x@[10.1.2.3] x@[127.0.0.1] local "
    "www-data@mail.example.org x@lists.example.org mail-foo@example.org X.Y@relayed.example"
)
_ALIASES = (
    "postmaster: mail\nalias: games, daemon, x@[10.1.2.4]\nfail: :fail: gone\n"
    "incl: :include:/etc/nope\npipe: |/bin/cat\n"
)


@pytest.fixture(scope="module")
def exim() -> str:
    found = find_exim()
    if found is None:
        pytest.skip(MISSING)
    if os.geteuid() != 0:
        pytest.skip("only root may ask as other users do")
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that other users may look into, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="routing-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def prepare(text: str, folder: Path) -> Path:
    (folder / "spool").mkdir()
    (folder / "spool").chmod(0o777)
    configuration, *files = _FILE.split(text)
    for name, mode, content in zip(files[::3], files[1::3], files[2::3], strict=True):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content.replace("DIR", str(folder)))
        path.chmod(int(mode or "644", 8))
    if (folder / "private").exists():
        (folder / "private").chmod(0o700)
    made = folder / "exim.conf"
    made.write_text(
        "primary_hostname = host.test\nqualify_domain = local.test\nkeep_environment =\n"
        f"spool_directory = {folder}/spool\nlog_file_path = {folder}/spool/%slog\n"
        + configuration.replace("DIR", str(folder))
    )
    made.chmod(0o644)
    return made


def said(program: str | Path, configuration: Path, options: list[str], addresses: list[str]) -> str:
    result = subprocess.run(
        [program, "-C", configuration, *options, *addresses],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=120,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )
    return f"{result.stdout}{_STAMP.sub('', result.stderr)}exit {result.returncode}"


def _marked(text: str, mark: str) -> list[str]:
    return [line[len(mark) :].strip() for line in text.split("\n") if line.startswith(mark)]


@pytest.mark.parametrize("source", _CASES, ids=lambda path: path.stem)
def test_answers_as_the_real_one(exim: str, source: Path, folder: Path) -> None:
    text = source.read_text()
    configuration = prepare(text, folder)
    addresses = " ".join(_marked(text, "#@")).split()
    for options in _marked(text, "#!") or ["-bt"]:
        theirs = said(exim, configuration, options.split(), addresses)
        assert said(_OURS, configuration, options.split(), addresses) == theirs, options


@pytest.mark.parametrize("kind", debian.KINDS)
def test_debians_configuration(exim: str, kind: str, folder: Path) -> None:
    roots = debian.find_configurations()
    if not roots:
        pytest.skip(debian.MISSING)
    configuration = debian.make(roots[0], folder, kind, is_split=False)
    (folder / "spool").chmod(0o777)
    (folder / "aliases").write_text(_ALIASES)
    configuration.write_text(configuration.read_text().replace("/etc/aliases", str(folder / "aliases")))
    theirs = said(exim, configuration, ["-bt"], _DEBIAN.split())
    assert said(_OURS, configuration, ["-bt"], _DEBIAN.split()) == theirs
