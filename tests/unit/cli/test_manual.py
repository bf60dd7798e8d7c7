"""The manual pages: they are current, clean, and say something of every option."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pillarbox.cli import options
from pillarbox.cli.exim import run
from pillarbox.cli.manual.exim_options import SECTIONS
from pillarbox.cli.manual.roff import Item, Page, Section, written
from pillarbox.cli.manual.utilities import PAGES

ROOT = Path(__file__).resolve().parents[3]
MANUAL = ROOT / "docs" / "man"
TOOLS = ROOT / "src" / "pillarbox" / "cli" / "tools"
TERMS = [term for section in SECTIONS for item in section.items for term in item.term.split(", ")]


def test_the_pages_are_current() -> None:
    """In a process of its own: other tests declare drivers too."""
    command = [sys.executable, "-m", "pillarbox.cli.manual.pages", "--check", str(MANUAL)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run make reference: {done.stdout} {done.stderr}"


@pytest.mark.parametrize("word", sorted({*options._PLAIN, *(word for word, _ in options._PREFIXED)}))
def test_every_option_is_explained(word: str) -> None:
    assert any(term.startswith(word.rstrip("=")) for term in TERMS)


def test_help_has_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"], "exim") == 1
    told, brief = capsys.readouterr()
    assert brief.startswith("Exim is a Mail Transfer Agent.")
    assert all(term in told for term in TERMS)
    assert max(map(len, told.splitlines())) <= 120


def test_help_of_mailq(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-bp", "--help"], "mailq") == 1
    assert capsys.readouterr().err.startswith("mailq - list the contents of the mail queue\n\nFor a list")


@pytest.mark.parametrize("tool", sorted(path.stem for path in TOOLS.glob("exi*.py")))
def test_every_option_of_a_utility_is_explained(tool: str) -> None:
    source = (TOOLS / f"{tool}.py").read_text()
    page = next(page for page in PAGES if page.name == tool)
    terms = " ".join([*page.synopsis, *(item.term for section in page.sections for item in section.items)])
    for letters in re.findall(r'getopt\(arguments, "([^"]+)"', source):
        for letter in letters.replace(":", ""):
            assert re.search(rf"-{letter}\b|-\w*{letter}\w*\]", terms), f"-{letter}"
    for word in re.findall(r'"(--?[a-z]\w+[\w-]*)"', source):
        assert word in terms or word == "-bh", word


def test_commands_have_pages() -> None:
    scripts = re.findall(r'(?m)^(\w+) = "pillarbox\.cli', (ROOT / "pyproject.toml").read_text())
    found = {path.stem for path in MANUAL.glob("man*/*")}
    assert set(scripts) <= found


def test_texts_are_no_requests() -> None:
    section = Section("It's", (".so what\n'no", "a\\b `--x` ä"), (Item(".x", "`'y`"),))
    text = written(Page("a", 1, "b", ("a -b",), (section,), ("c-d(5)",)))
    assert "\n\\&.so what\n\\&'no\n.PP\na\\eb \\fB\\-\\-x\\fR \\[u00E4]\n" in text
    assert text.isascii()
    assert text.endswith(".BR c\\-d (5)\n")


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff here")
def test_groff_has_nothing_to_say() -> None:
    pages = sorted(map(str, MANUAL.glob("man*/*")))
    done = subprocess.run(
        ["groff", "-man", "-ww", "-z", "-Tutf8", *pages], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="no mandoc here")
def test_mandoc_has_nothing_to_say() -> None:
    pages = sorted(map(str, MANUAL.glob("man*/*")))
    done = subprocess.run(
        ["mandoc", "-Tlint", "-Wwarning", *pages], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
