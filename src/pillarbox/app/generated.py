"""Pages that are made from the declarations in the code: written into a folder, or held against what lies there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def run(arguments: list[str], made: Mapping[str, str], pattern: str, encoding: str = "utf-8") -> int:
    """`[--check] FOLDER`: print the names of what was written, or of what is old; 1 when something is. `made`: path in the folder → text.
    `pattern`: which files there are such pages."""
    folder = Path(arguments[-1])
    is_check = "--check" in arguments
    names = _old(folder, made, pattern, encoding) if is_check else _write(folder, made, pattern, encoding)
    print("\n".join(names))
    return 1 if names and is_check else 0


def _write(folder: Path, made: Mapping[str, str], pattern: str, encoding: str) -> list[str]:
    """All pages; others are removed."""
    for name in _found(folder, pattern) - made.keys():
        (folder / name).unlink()
    for name, text in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding)
    return sorted(made)


def _old(folder: Path, made: Mapping[str, str], pattern: str, encoding: str) -> list[str]:
    """Names of pages that are missing, superfluous or not what the code declares."""
    found = {name: (folder / name).read_text(encoding) for name in _found(folder, pattern)}
    return sorted(name for name in made.keys() | found.keys() if made.get(name) != found.get(name))


def _found(folder: Path, pattern: str) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.glob(pattern)}
