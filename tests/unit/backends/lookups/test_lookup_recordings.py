"""Lookups whose answers need no server are as the real Exim's: dnsdb and spf on a zone of our own, psl and regdom on a small list."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.process.lookups import recordings
from tests.support.clock import JumpClock
from tests.support.fake_dns import FakeDns

from pillarbox.backends.lookups.driver import LookupWorld
from pillarbox.backends.lookups.registry import LookupTypes

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", ["dnsdb", "spf", "psl"])
async def test_answers_are_as_exims(name: str, tmp_path: Path) -> None:
    dns = FakeDns((HERE / "zone.txt").read_text("utf-8"))
    types = LookupTypes(LookupWorld(JumpClock(), dns))
    recorded = recordings.read(HERE / f"{name}.jsonl", {"SUFFIXES": str(HERE / "suffixes.txt")})
    lookups = {kind: found for kind in ("dnsdb", "spf", "psl", "regdom") if (found := types.get(kind))}
    assert await recordings.differences(recorded, lookups, "", tmp_path) == []
