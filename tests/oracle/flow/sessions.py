"""Scenarios of reception in sessions/*.txt: configurations, and what clients say to each.

A file is blocks, each below a line that begins with `==`:

    == conf            a configuration, for the scenarios below it
    == host NAME       a script (see dialogue.py) held over -bs, as the host 192.0.2.1
    == local NAME      the same, as a program on this machine
    == daemon NAME     held with a listening daemon, which all of them below one configuration share
    == submit NAME     a message given to a command: its arguments in the first line, the message below, with \\r, \\t, \\0 and \\xNN
                       meant and {A*500} standing for 500 times A; a line end that is not meant has a backslash in front
    == slow NAME       the same as submit, but the input does not end
    == anybody NAME    the same as submit, by a user whom nobody trusts
    == daemonproxy NAME    the same, but the client speaks first

Each host and local scenario has a sandbox of its own. Lines of a file that begin with `==#` are comments.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
from tests.oracle.flow.dialogue import (
    Daemon,
    Program,
    free_ports,
    submit,
    submit_as_anybody,
    submit_slowly,
    talk,
)
from tests.oracle.flow.places import Place, Seen

FOLDER = Path(__file__).parent / "sessions"
_BLOCK = re.compile(r"^== ?(\w+) ?(.*)\n", re.MULTILINE)
AS_HOST = ("-oMa", "[192.0.2.1]:4711", "-oMt", "")


class Scenario(msgspec.Struct, frozen=True):
    name: str
    kind: str
    """`host`, `local`, `submit`, `slow`, `anybody`, `daemon` or `daemonproxy`."""
    configuration: str
    scripts: tuple[tuple[str, str], ...]
    """(name, script): one, but for a daemon."""


def scenarios() -> list[Scenario]:
    return [each for path in sorted(FOLDER.glob("*.txt")) for each in read(path)]


def read(path: Path) -> list[Scenario]:
    text = re.sub(r"^==#.*\n", "", path.read_text(), flags=re.MULTILINE)
    found: list[Scenario] = []
    configuration = ""
    number = 0
    parts = _BLOCK.split(text)
    for kind, name, block in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        if kind == "conf":
            configuration, number = block, number + 1
            continue
        full = f"{path.stem}-{kind}-{name}"
        if not kind.startswith("daemon"):
            found.append(Scenario(full, kind, configuration, ((name, block),)))
        elif found and found[-1].kind == kind and found[-1].configuration == configuration:
            found[-1] = msgspec.structs.replace(found[-1], scripts=(*found[-1].scripts, (name, block)))
        else:
            found.append(Scenario(full, kind, configuration, ((name, block),)))
    return found


_WAYS_TO_SUBMIT = {"submit": submit, "slow": submit_slowly, "anybody": submit_as_anybody}


def hold(scenario: Scenario, program: Program, directory: Path) -> Seen:
    place = Place(directory, scenario.configuration)
    if (give := _WAYS_TO_SUBMIT.get(scenario.kind)) is not None:
        arguments, _, message = scenario.scripts[0][1].partition("\n")
        return give(program, place, arguments.split(), message)
    if not scenario.kind.startswith("daemon"):
        return talk(program, place, scenario.scripts[0][1], AS_HOST if scenario.kind == "host" else ())
    daemon = Daemon(program, place, next(free_ports()))
    try:
        speaks_first = scenario.kind == "daemonproxy"
        replies = [
            f"== {name}\n{daemon.talk(script, speaks_first=speaks_first)}"
            for name, script in scenario.scripts
        ]
    finally:
        daemon.stop()
    seen = place.see("\n".join(replies))
    return seen._replace(main=sorted(seen.main), reject=sorted(seen.reject))  # several workers write them
