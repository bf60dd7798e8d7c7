"""Differential corpora: one folder of `tests/oracle/expand/` for each family of strings.

    strings.txt   one string a line, given to `exim -be` of both. `# ` begins a comment; a line `#! id: why` says that the next string
                  differs on purpose (the id is a heading of docs/exim-compatibility.md); such a string must differ.
    exim.conf     optional: the configuration both run on, behind the lines that say where the spool is.
    message       optional: loaded with `-bem`.
    anything else is copied beside the configuration.

`@DIR@` in any of them is the folder's absolute path in the run; `@SP@` a space at the end of a line.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

FAMILIES = Path(__file__).parent / "expand"
OURS = str(Path(sys.executable).parent / "exim")
_AT_ONCE = 500
ENDED = "(the program ended)"
_HEAD = """\
primary_hostname = mail.example.org
spool_directory = @DIR@/spool
log_file_path = @DIR@/spool/log/%slog
"""


class Case(NamedTuple):
    text: str
    line: int
    explanation: str
    """`id: why` when the difference is meant."""


class Family(NamedTuple):
    name: str
    cases: tuple[Case, ...]
    folder: Path

    @property
    def command(self) -> list[str]:
        message = self.folder / "message"
        return [
            "-C",
            str(self.folder / "exim.conf"),
            *(["-bem", str(message)] if message.exists() else ["-be"]),
        ]


def names() -> list[str]:
    return sorted(path.parent.name for path in FAMILIES.glob("*/strings.txt"))


def prepare(name: str, folder: Path) -> Family:
    """Copy the family's files to `folder`, `@DIR@` replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    home = FAMILIES / name
    for source in sorted(home.rglob("*")):
        if source.parent == home and source.name in ("strings.txt", "exim.conf"):
            continue
        target = folder / source.relative_to(home)
        if source.is_dir():
            target.mkdir(exist_ok=True)
        else:
            target.write_bytes(source.read_bytes().replace(b"@DIR@", str(folder).encode()))
            target.chmod(source.stat().st_mode)
    own = home / "exim.conf"
    write_configuration(folder, own.read_text("utf-8") if own.exists() else "")
    return Family(name, tuple(_cases(FAMILIES / name / "strings.txt", folder)), folder)


def write_configuration(folder: Path, text: str = "") -> None:
    """`folder/exim.conf`, and a spool beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "exim.conf"
    configuration.write_text((_HEAD + text).replace("@DIR@", str(folder)), "utf-8")
    configuration.chmod(0o644)
    (folder / "spool").mkdir(exist_ok=True)


def _cases(path: Path, folder: Path) -> list[Case]:
    found: list[Case] = []
    explanation = ""
    for number, line in enumerate(path.read_text("utf-8", "surrogateescape").split("\n"), 1):
        if line.startswith("#! "):
            explanation = line[3:]
        elif line and not line.startswith("# "):
            found.append(Case(line.replace("@DIR@", str(folder)).replace("@SP@", " "), number, explanation))
            explanation = ""
    return found


RESET = "${addresses:g:a;}${filter{a}{match{}{^}}}${extract{a}{a=}{${base62:x}}}"
"""Leaves `$value`, `$0` and `$1` empty, and no group of addresses open: a string that fails may leave them set for the next one in Exim."""


def separate_answers(program: str, family: Family, strings: list[str]) -> list[str]:
    """As if each string were the first one. The program may end at some, which are answered by ENDED."""
    found: list[str] = []
    for start in range(0, len(strings), _AT_ONCE):
        part = strings[start : start + _AT_ONCE]
        found += surviving_answers(program, family, [each for text in part for each in (RESET, text)])[1::2]
    return found


def surviving_answers(program: str, family: Family, strings: list[str]) -> list[str]:
    """The same from a program that may end at a string, as Exim does for some: that one's answer is ENDED."""
    found: list[str] = []
    while len(found) < len(strings):
        found += _answers(program, family, strings[len(found) :])[0]
        if len(found) < len(strings):
            found.append(ENDED)
    return found


def answers(program: str, family: Family, strings: list[str]) -> list[str]:
    """What `-be` of `program` says to each string, errors included."""
    lines, told = _answers(program, family, strings)
    assert len(lines) == len(strings), (
        f"{program}: {len(strings)} asked, {len(lines)} answered:\n{told[-3000:]}"
    )
    return lines


def _answers(program: str, family: Family, strings: list[str]) -> tuple[list[str], str]:
    """Those given, and all that was said."""
    answer = subprocess.run(
        [program, *family.command],
        input="\n".join(strings).encode("utf-8", "surrogateescape") + b"\n",
        capture_output=True,
        timeout=120,
        check=False,
        cwd=family.folder,
    )
    text = answer.stdout.decode("utf-8", "surrogateescape")
    lines = text.removeprefix("> ").split("\n> ")
    return lines[:-1], text + answer.stderr.decode("utf-8", "replace")


def ours(family: Family, strings: list[str]) -> list[str]:
    return answers(OURS, family, strings)


def differences(exim: str, family: Family) -> list[str]:
    """Every case where the two differ without a reason given, or are equal although one was."""
    strings = [case.text for case in family.cases]
    found = []
    compared = zip(family.cases, ours(family, strings), answers(exim, family, strings), strict=True)
    for case, mine, theirs in compared:
        where = f"{family.name}/strings.txt:{case.line}"
        if mine != theirs and not case.explanation:
            found.append(f"{where}: {case.text}\n  ours:   {mine!r}\n  theirs: {theirs!r}")
        elif mine == theirs and case.explanation:
            found.append(f"{where}: {case.text}\n  both say {mine!r}, but a difference is explained")
    return found
