"""What ACLs do, side by side with the real one: see `acl_dialogue` for the form of the scenarios in acls/."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.oracle.flow.acl_dialogue import Scenario, Seen, play, scenarios, without_our_codes
from tests.oracle.flow.acl_world import PEERS, ZONE
from tests.oracle.flow.town import Town
from tests.oracle.real_exim import MISSING, find_exim

pytestmark = pytest.mark.oracle
KNOWN = {
    "callouts: words of a server that refuses to talk": "we tell what was sent, and each reply once",
    "cutthrough: deferred recipient pass": "the log says what the client is told",
    "cutthrough: deferred second recipient pass": "the same",
    "cutthrough: local recipient second": "the real one loses its copy",
    "cutthrough: unseen": "the same",
    "cutthrough: two hosts first defers": "the second host will do",
    "cutthrough: multiline refusal": "a line of the log is one line",
    "cutthrough: transport and router headers": "all that the transport adds",
    "cutthrough: data acl denies": "a refused message never leaves",
    "cutthrough: freeze in data": "the same",
    "cutthrough: discard in data": "the same",
    "local: mime defers a local message": "the real one loses it, and says nothing",
    "local: mime denies a local message": "the same",
    "mime: parts of an attached message": "the real one does not look into it; meant",
}
"""Scenarios that differ, and in what; docs/exim-compatibility.md has those that are meant."""
_FILES = sorted((Path(__file__).parent / "acls").glob("*.txt"))
_ALL = [scenario for path in _FILES for scenario in scenarios(path)]


@pytest.fixture(scope="module")
def exim() -> str:
    found = find_exim()
    if found is None:
        pytest.skip(MISSING)
    if os.geteuid() != 0:
        pytest.skip("a network of its own needs root")
    return found


@pytest.fixture(scope="module")
def town(exim: str) -> Iterator[Town]:
    with Town(ZONE, PEERS) as found:
        yield found


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="acls-") as name:
        Path(name).chmod(0o755)
        yield Path(name) / "box"


@pytest.mark.parametrize(
    "scenario", _ALL, ids=lambda scenario: f"{scenario.file}-{scenario.name.replace(' ', '-')}"
)
def test_as_the_real_one(scenario: Scenario, town: Town, exim: str, folder: Path) -> None:
    if f"{scenario.file}: {scenario.name}" in KNOWN:
        pytest.skip(KNOWN[f"{scenario.file}: {scenario.name}"])
    assert_alike(scenario, town, exim, folder)


def assert_alike(scenario: Scenario, town: Town, exim: str, folder: Path) -> None:
    theirs = play(town, scenario, exim, folder)
    ours = play(town, scenario, "pillarbox:exim", folder)
    assert compared(ours, theirs) == compared(theirs, theirs)
    if "-bh" in scenario.options:
        assert ours.error == theirs.error


def compared(seen: Seen, theirs: Seen) -> dict[str, object]:
    """Queue runs that ETRN starts are another program's with the real one."""
    return {
        "code": seen.code,
        "replies": without_our_codes(seen.replies, theirs.replies),
        "mainlog": [line for line in seen.mainlog if " queue run: " not in line],
        "rejectlog": seen.rejectlog,
        "paniclog": seen.paniclog,
        "spool": seen.spool,
        "heard": seen.heard,
        "callouts": seen.callouts,
    }
