"""Every conversation of this folder: `name.txt`, several in one file divided by `=== title` lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.conversation import Conversation, play


def collect() -> list[Conversation]:
    found = []
    for path in sorted(Path(__file__).parent.glob("*.txt")):
        _, *parts = re.split(r"^=== (.*)$", path.read_text(), flags=re.MULTILINE)
        for title, text in zip(parts[::2], parts[1::2], strict=True):
            found.append(Conversation.parse(f"{path.stem}: {title}", text))
    return found


@pytest.mark.parametrize("conversation", collect(), ids=lambda conversation: conversation.name)
async def test_conversation(conversation: Conversation) -> None:
    await play(conversation)
