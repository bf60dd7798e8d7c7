"""What the real Exim answered to a list of lookups (`*.jsonl`), against which ours are held.

Each line has `kind`, `query`, `options`, `source`, and `answer` as `real_exim` writes answers; `differs` says why ours is another on purpose.
`@NAME@` stands for what differs from run to run. Where PILLARBOX_EXIM is set, it is asked again instead of the recording.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.process.lookups.real_exim import EXIM, Ask, exim_answers, our_answer

from pillarbox.ports.lookups import Lookup


class Recorded(NamedTuple):
    ask: Ask
    answer: str
    differs: str


def read(file: Path, names: Mapping[str, str] | None = None) -> list[Recorded]:
    text = file.read_text("utf-8")
    for name, value in (names or {}).items():
        text = text.replace(f"@{name}@", value)
    lines = [json.loads(line) for line in text.splitlines()]
    return [
        Recorded(
            Ask(line["kind"], line["query"], tuple(line.get("options", ())), line.get("source", "")),
            line["answer"],
            line.get("differs", ""),
        )
        for line in lines
    ]


async def differences(
    recorded: list[Recorded],
    lookups: Mapping[str, Lookup],
    configuration: str,
    folder: Path,
    refill: Callable[[Lookup], Awaitable[None]] | None = None,
) -> list[str]:
    """Every answer of ours that is another than Exim's without a reason, or the same although a reason is given.

    `refill`: what puts the data right again after Exim's turn.
    """
    theirs = [each.answer for each in recorded]
    if EXIM and configuration:
        theirs = exim_answers(configuration, [each.ask for each in recorded], folder)
        if refill is not None:
            await refill(next(iter(lookups.values())))
    found = []
    for each, answer in zip(recorded, theirs, strict=True):
        ours = await our_answer(lookups[each.ask.kind], each.ask)
        if (ours == answer) == bool(each.differs):
            found.append(f"{each.ask}\n  ours:   {ours!r}\n  theirs: {answer!r}")
    return found
