"""The reference pages say what the code declares."""

from __future__ import annotations

from pathlib import Path

from pillarbox.app.reference import pages

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "reference"


def test_the_pages_are_current() -> None:
    made = pages()
    assert sorted(made) == sorted(path.name for path in FOLDER.glob("*.md"))
    for name, text in made.items():
        assert (FOLDER / name).read_text("utf-8") == text, f"{name} is old: run make reference"


def test_every_option_is_explained() -> None:
    for name, text in pages().items():
        for line in text.splitlines():
            if line.startswith("| `"):
                assert line.rstrip(" |").rpartition("|")[2].strip(), f"{name}: {line} has no text"
