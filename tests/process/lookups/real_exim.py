"""The same lookups by the real Exim: `${lookup …}` through `exim -be`, each answer taken apart again.

PILLARBOX_EXIM names a program built with the lookup type; without one the tests compare with what is written in them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pillarbox.ports.lookups import Lookup, LookupDefer, LookupNotOpened

EXIM = os.environ.get("PILLARBOX_EXIM", "")


class Ask(NamedTuple):
    kind: str
    query: str
    options: tuple[str, ...] = ()
    source: str = ""
    """The file of a single-key lookup; then `query` is the key."""

    @property
    def expansion(self) -> str:
        words = ",".join([self.kind, *self.options])
        key = f"{{\\N{self.query}\\N}}" if self.query else "{}"
        asked = f"{key}{words}{{{self.source}}}" if self.source else f"{words}{key}"
        return f"${{lookup {asked}{{=$value}}{{}}}}".replace("${lookup {", "${lookup{")


def exim_answers(configuration: str, asked: Sequence[Ask], folder: Path) -> list[str]:
    """`=value`, empty (not found), or `DEFER text` for each."""
    file = folder / "exim.conf"
    (folder / "spool" / "log").mkdir(parents=True, exist_ok=True)
    file.write_text(
        f"spool_directory = {folder}/spool\nlog_file_path = {folder}/spool/log/%slog\n{configuration}"
    )
    file.chmod(0o644)
    lines = [ask.expansion.replace("\n", "\\N\\n\\N") for ask in asked]
    done = subprocess.run(
        [EXIM, "-C", str(file), "-be"], input="\n".join(lines) + "\n", capture_output=True, timeout=60,
        encoding="utf-8", errors="surrogateescape", check=False,
    )  # fmt: skip
    answers = done.stdout.removeprefix("> ").split("\n> ")
    assert len(answers) == len(lines) + 1, done.stdout[-1000:] + done.stderr
    return [_shortened(answer) for answer in answers[:-1]]


def _shortened(answer: str) -> str:
    head, defer, text = answer.partition(" gave DEFER: ")
    return "DEFER " + text if defer and head.startswith("Failed: lookup of") else answer


async def our_answer(lookup: Lookup, ask: Ask) -> str:
    try:
        found = await lookup.find(ask.query, ask.source, ask.options)
    except LookupDefer as defer:
        return f"DEFER {printed(str(defer))}"
    except LookupNotOpened as not_opened:
        return f"Failed: {not_opened}"
    return "" if found is None else "=" + found


def printed(text: str) -> str:
    """As Exim shows text in error messages."""
    escapes = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\v": "\\v", "\f": "\\f", '"': '\\"'}
    data = text.encode("utf-8", "surrogateescape")
    return '"' + "".join([escapes.get(chr(c), chr(c) if 32 <= c < 127 else f"\\{c:03o}") for c in data]) + '"'
