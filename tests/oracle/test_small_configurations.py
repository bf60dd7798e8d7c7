"""Small configurations, ours and the real one's answers: which are accepted, what is said of the others, and what `-bP` prints.

`small_configurations/*.txt`: configurations divided by lines with `%%`. A first line `@-bP name …` is a question; without one, whether the
configuration loads. A line `#! id: why` at the beginning says that the answers differ on purpose (the id is a heading of
docs/exim-compatibility.md). `@DIR@` is the folder of the run, where the files of `inc/` are.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from pillarbox.app.asking.printing import print_configuration
from pillarbox.app.configuration import declare_all
from pillarbox.config.declare import Driver, main_options

pytestmark = pytest.mark.oracle

_FOLDER = Path(__file__).parent / "small_configurations"
_COMPATIBILITY = Path(__file__).parents[2] / "docs" / "exim-compatibility.md"
_NOT_IN_DEBIAN = frozenset(["translate_ip_address"])
_ERROR = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (Exim configuration error.*?:\n  .*(?:\n  .*)?)$", re.MULTILINE
)


class Case(NamedTuple):
    name: str
    text: str
    words: tuple[str, ...]
    explanation: str


def cases() -> list[Case]:
    found = []
    for file in sorted(_FOLDER.glob("*.txt")):
        for number, text in enumerate(file.read_text("utf-8").split("\n%%\n"), 1):
            explanation, words = "", ("qualify_domain",)
            if text.startswith("#! "):
                explanation, _, text = text.partition("\n")
            if text.startswith("@-bP"):
                line, _, text = text.partition("\n")
                words = tuple(line.split()[1:])
            name = f"{file.stem}-{number}"
            found.append(Case(name, text.rstrip("\n") + "\n", words, explanation[3:]))
    return found


class Answer(NamedTuple):
    code: int
    shown: str
    error: str


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_says_what_exim_says(
    exim: str, case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.chmod(0o755)
    shutil.copytree(_FOLDER / "inc", tmp_path / "inc")
    path = tmp_path / "c.conf"
    path.write_text("keep_environment =\n" + case.text.replace("@DIR@", str(tmp_path)))
    run = subprocess.run(
        [exim, "-C", str(path), "-bP", *case.words], capture_output=True, check=False, timeout=20
    )
    theirs = answer_of(run.returncode, run.stdout.decode(), run.stderr.decode())
    code = print_configuration(path, case.words)
    ours = answer_of(code, *capsys.readouterr())
    if case.explanation:
        assert ours != theirs, "explained, but there is no difference"
        assert f"## {case.explanation.partition(':')[0]}\n" in _COMPATIBILITY.read_text("utf-8")
    else:
        assert ours == theirs, case.text


def _is_left_out(line: str) -> bool:
    """Our own options, those that Debian's Exim was built without, what Exim keeps for itself, and the line with the version."""
    name = line.partition(" ")[0].removeprefix("no_")
    return name.startswith("*") or line.startswith("# Exim Configuration") or name in _own_options()


@cache
def _own_options() -> frozenset[str]:
    declare_all()
    drivers = [driver for family in Driver.families.values() for driver in family.registry.values()]
    options = [option for driver in drivers for option in driver.options().values()]
    options += [option for _, option in main_options().values()]
    return _NOT_IN_DEBIAN | {option.name for option in options if option.extension}


def answer_of(code: int, shown: str, said: str) -> Answer:
    """The real one tells an error again when it cannot write its log: the first time counts."""
    error = _ERROR.search(shown + said)
    if error:
        return Answer(code, "", error.group(1))
    lines = [line for line in shown.splitlines() if not _is_left_out(line)]
    return Answer(code, "\n".join(lines), "")
