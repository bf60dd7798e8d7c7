"""The lowered configuration as the text of an Exim 4 configuration file, with what needs a look at the top."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pillarbox.config.errors import Problem
from pillarbox.config.reader import RawLine

_LABEL = re.compile(r"[A-Za-z]\w*:", re.ASCII)
_VERB = re.compile(r"(accept|defer|deny|discard|drop|require|warn)\b")


def show_exim4(lines: Sequence[RawLine], notes: Sequence[Problem], source: str) -> Iterator[str]:
    """`source`: the file it was converted from."""
    yield f"# Converted from the Exim 3 configuration {source}. Numbers are lines of that file."
    if notes:
        yield "#"
        yield "# Look at these:"
        yield from (f"#   {note.line}: {note.reason}" for note in notes)
    yield ""
    section = "main"
    for line in lines:
        if line.text.startswith("begin "):
            section = line.text.removeprefix("begin ")
            yield ""
            yield line.text
        elif section in ("main", "retry", "rewrite"):
            yield line.text
        elif _LABEL.fullmatch(line.text):
            yield ""
            yield f"# {line.position.line}"
            yield line.text
        elif section == "acl":
            yield f"  {line.text}" if _VERB.match(line.text) else f"          {line.text}"
        else:
            yield f"  {line.text}"
