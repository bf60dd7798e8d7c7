"""`exim -bf` and `-bF`, ours and the real one's: the same words and exit codes for every filter of `filters/`.

In each file a line `%% OPTIONS` begins a filter; `<NAME>` in the options is a message of `filters/messages`, `<<…>>` a header block with `\\n`
for line ends. `# Exim filter` is put in front. Behind ` ! ` stands why a difference is meant: an id that docs/exim-compatibility.md explains.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.oracle.in_process import answered

pytestmark = pytest.mark.oracle

_FILTERS = Path(__file__).parent / "filters"
_COMPATIBILITY = Path(__file__).parents[2] / "docs" / "exim-compatibility.md"
_FIXED = b"Date: Sun, 22 Nov 2026 21:00:53 +0000\nMessage-Id: <1@x>\n"
_HEAD = """\
primary_hostname = mail.example.org
spool_directory = {folder}/spool
log_file_path = {folder}/spool/log/%slog
"""
_TRACE = re.compile(
    r"(?:(?:Sub-c|C)ondition is .*|Extracted address .*|Match expanded arguments:|(?:Subject|Pattern) = .*)"
)


class Case(NamedTuple):
    options: list[str]
    message: bytes
    text: str
    line: int
    explanation: str


class Answer(NamedTuple):
    out: str
    errors: str
    code: int


def cases(path: Path) -> list[Case]:
    found = []
    line = 1
    for part in path.read_bytes().decode("utf-8", "surrogateescape").split("%% ")[1:]:
        head, _, text = part.partition("\n")
        options, _, explanation = head.partition(" ! ")
        options, message = _message(options)
        found.append(Case(options.split(), message, text.removesuffix("\n"), line, explanation))
        line += part.count("\n")
    return found


def _message(options: str) -> tuple[str, bytes]:
    if "<<" in options:
        options, _, block = options.partition("<<")
        return options, block.removesuffix(">>").replace("\\n", "\n").encode() + b"\n" + _FIXED + b"\nbody\n"
    named = re.search(r" <(\w+)>", options)
    name = named.group(1) if named else "plain"
    return re.sub(r" <\w+>", "", options), (_FILTERS / "messages" / name).read_bytes()


def command(case: Case, folder: Path) -> list[str]:
    (folder / "filter").write_bytes(f"# Exim filter\n{case.text}".encode("utf-8", "surrogateescape"))
    kind = "-bF" if "-bF" in case.options else "-bf"
    rest = [option for option in case.options if option != kind]
    recipient = [] if "-bfl" in rest else ["-bfl", "user"]
    return ["-C", str(folder / "exim.conf"), *recipient, *rest, kind, str(folder / "filter")]


def theirs(exim: str, case: Case, folder: Path) -> Answer:
    answer = subprocess.run(
        [exim, *command(case, folder)], input=case.message, capture_output=True, timeout=30, check=False
    )
    return Answer(_text(answer.stdout), _trace(_text(answer.stderr)), answer.returncode)


def ours(case: Case, folder: Path) -> Answer:
    said, errors, code = answered(command(case, folder), case.message)
    return Answer(said, _trace(errors), code)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _trace(errors: str) -> str:
    """Of Exim's debugging output only the conditions."""
    kept = []
    for line in errors.split("\n"):
        plain = line.replace("\u254e", " ").strip()
        if _TRACE.fullmatch(plain) or plain.startswith("exim: "):
            kept.append(plain)
    return "\n".join(kept)


@pytest.mark.parametrize("name", sorted(path.stem for path in _FILTERS.glob("*.txt")))
def test_does_what_exim_would_do(exim: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "exim.conf").write_text(_HEAD.format(folder=tmp_path))
    (tmp_path / "spool").mkdir()
    tmp_path.chmod(0o755)
    found = []
    for case in cases(_FILTERS / f"{name}.txt"):
        mine, their = ours(case, tmp_path), theirs(exim, case, tmp_path)
        where = f"{name}.txt:{case.line} {case.options}\n{case.text[:300]}"
        if mine != their and not case.explanation:
            found.append(f"{where}\n  ours:   {mine}\n  theirs: {their}")
        elif mine == their and case.explanation:
            found.append(f"{where}\n  both say {mine}, but a difference is explained")
    assert not found, f"{len(found)} differences\n" + "\n".join(found)


def test_explanations_are_written_down() -> None:
    known = _COMPATIBILITY.read_text("utf-8") if _COMPATIBILITY.exists() else ""
    for path in _FILTERS.glob("*.txt"):
        for case in cases(path):
            assert not case.explanation or f"## {case.explanation}\n" in known, f"{path.name}:{case.line}"
