"""What a server challenges its clients with, when it must be the same each time: for test harnesses only."""

from __future__ import annotations

from typing import NamedTuple


class FixedChallenge(NamedTuple):
    text: bytes
