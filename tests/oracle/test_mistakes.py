"""One mistake in a whole configuration: what the real one refuses we refuse, in its words or with the line besides; what we refuse alone is
what would not work when mail comes (`checked-at-load`).

The configurations are those of flow/sites. `make test` makes every three hundredth mistake; PILLARBOX_LONG=1 every fifth.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.oracle.flow.redirecting import divided
from tests.oracle.real_exim import MISSING, find_exim
from tests.oracle.test_small_configurations import Answer, answer_of
from tests.oracle.test_specification import ask

from pillarbox.app.asking.printing import print_configuration

pytestmark = pytest.mark.oracle

_SITES = sorted((Path(__file__).parent / "flow" / "sites").glob("*.conf"))
_STEP = 5 if os.environ.get("PILLARBOX_LONG") else 300
_HEAD = "keep_environment =\nqualify_domain = q.test\nprimary_hostname = h.test\n"
_SETTING = re.compile(r"( *)([a-z_]{4,})( *=.*)?$")
_USERS = re.compile(r"^( *user = )(?!mail\b)\w+$|^( *group = )(?!mail\b)\w+$", re.MULTILINE)
_OTHERWISE = (
    "missing quote at end of string value",
    "extra characters follow driver name",
    "unknown ACL condition/modifier",
    "no public name specified",
)
"""Behind the first mistake there are others, and the two meet them in another order; an empty public name is none for us."""


@pytest.fixture
def place() -> Iterator[Path]:
    """Reachable for everybody, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="mistakes-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_refuses_what_the_real_one_refuses(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exim = find_exim()
    if exim is None:
        pytest.skip(MISSING)
    file = place / "c.conf"
    different = []
    for number, (site, text) in enumerate(_mistakes(place)):
        if number % _STEP:
            continue
        file.write_text(f"{_HEAD}spool_directory = {place}\nlog_file_path = {place}/%slog\n{text}")
        theirs = ask(exim, file)
        ours = answer_of(print_configuration(file, ("qualify_domain",)), *capsys.readouterr())
        if not _are_alike(theirs, ours):
            different.append(f"{site}, mistake {number}: {theirs}\n{ours}")
    assert not different, "\n\n".join(different)


def _are_alike(theirs: Answer, ours: Answer) -> bool:
    if theirs == ours or any(words in theirs.error + ours.error for words in _OTHERWISE):
        return True
    if not ours.error:
        return False
    names_line = " in line " in ours.error.partition("\n")[0]
    return names_line or theirs.error.partition("\n")[2] == ours.error.partition("\n")[2]


def _mistakes(place: Path) -> Iterator[tuple[str, str]]:
    for site in _SITES:
        configuration, files = divided(site.read_text())
        shutil.rmtree(place / "files", ignore_errors=True)
        for file in files:
            path = place / "files" / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.content.replace("TOP", str(place)))
        text = _USERS.sub(
            lambda found: f"{found[1] or found[2]}mail", configuration.replace("TOP", str(place))
        )
        lines = [line for line in text.split("\n") if not line.startswith("#!")]
        for number, line in enumerate(lines):
            if line.strip() and not line.startswith("#"):
                for wrong in _wrongly(line):
                    yield site.stem, "\n".join([*lines[:number], wrong, *lines[number + 1 :]])


def _wrongly(line: str) -> Iterator[str]:
    """The line without a brace, misspelt, with junk behind it, given twice, not there …"""
    for character in '}{"(':
        if character in line:
            yield line.replace(character, "", 1)
    if found := _SETTING.match(line):
        space, name, value = found[1], found[2], found[3] or ""
        yield f"{space}{name[:2]}{name[3]}{name[2]}{name[4:]}{value}"
        if value:
            yield line.replace("=", " ", 1)
            yield f"{space}{name} ="
            yield f"{space}{name} = 5x"
            yield f"{line} junk"
            yield f"{line}\n{line}"
            yield space + name + re.sub(r"\d+", "x", value, count=1)
    if line.endswith("\\"):
        yield line[:-1]
    if re.match(r"\w+:$", line):
        yield line[:-1]
    if line.startswith("begin"):
        yield f"{line}x"
    yield line.replace("lsearch", "lsaerch")
    yield ""
