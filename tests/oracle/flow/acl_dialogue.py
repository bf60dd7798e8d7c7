"""SMTP scripts told at once on standard input (`-bs`) to both programs in a `Town`, for what ACLs do: replies, logs, the spool.

A file of scenarios (`acls/*.txt`): `=== name [-options]` begins one; then configuration lines; `---`, and what the client says. Lines in front
of the first scenario are common to all of the file. Lines of a scenario go to the part of the configuration they belong to: behind `begin NAME`,
and before any of these to the main part. `{dir}` is the sandbox. Each line of a script is sent with CRLF;
`{message NAME}` is a transaction with a message of `tests.support.dkim_messages`. Options are words for the command
line; without `-oM…` the client is `[192.0.2.1]:1234`, with `-local` a program of this machine.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
from tests.oracle.flow.levelling import ENHANCED_CODES, OWN_IDS, level
from tests.oracle.flow.places import Place
from tests.oracle.flow.town import Town
from tests.support import dkim_messages

CLIENT = ["-oMa", "[192.0.2.1]:1234", "-oMt", ""]
FILES = {
    "domains": "example.com: dom value\n",
    "parts": "fred: part value\n",
    "senders": "s@x.test: sender value\n",
    "hosts": "192.0.2.1: host value\n",
    "names": "".join(f"c{number}: c{number}\n" for number in range(400)),
}
_VARIABLE = re.compile(r"(?m)^--?acl[cm] \S+ \d+\n[^\n]*(?:\n(?!-|XX)[^\n]*)*\n")
_RECEPTION = (
    "-max_received_linelength",
    "-tls_resumption",
    "-auth_id",
    "-auth_sender",
    "-allow_unqualified",
    "-local",
    "--local",
    "-debug_selector",
    "-debuglog_name",
)
_AT = re.compile(r"\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d")
_RANDOM = re.compile(r"(?<=mx\.example)-\d{10}(?=-testing)")
_TLS_ERROR = re.compile(r"(?<=TLS session: )\(.*(?=: callout)")
_SETTLED = re.compile(r" <= | rejected ")
_MESSAGE = re.compile(r"(?m)^\{message (.*)\}$")
_SPLIT = re.compile(r"(?m)^=== (.*)\n")


class Scenario(msgspec.Struct, frozen=True):
    name: str
    options: list[str]
    config: str
    script: str
    file: str = ""
    peers: dict[str, list[str]] = {}

    @property
    def says(self) -> bytes:
        if "-bm" in self.options or "-t" in self.options:
            return self.script.encode("latin-1")
        script = _MESSAGE.sub(_sent, self.script)
        return "".join(f"{line}\r\n" for line in script.splitlines()).encode("latin-1")


def _sent(found: re.Match[str]) -> str:
    text = dkim_messages.messages()[found[1]].decode("latin-1")
    return f"MAIL FROM:<alice@x.test>\nRCPT TO:<bob@example.com>\nDATA\n{text}."


class Seen(msgspec.Struct, frozen=True):
    replies: list[str]
    code: int
    error: list[str]
    mainlog: list[str]
    rejectlog: list[str]
    paniclog: list[str]
    spool: dict[str, str]
    """`1-H` → text."""
    heard: Mapping[str, list[list[str]]] = {}
    """By peers: address → connections → lines."""
    callouts: list[str] = []
    """As `exim_dumpdb` tells them."""


def scenarios(path: Path) -> list[Scenario]:
    common, *parts = _SPLIT.split(path.read_text())
    found = []
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        name, _, options = title.partition(" -")
        config, script, peers = [*re.split(r"(?m)^---\n", text), ""][:3]
        words = f"-{options}".split() if options else []
        made = _merged(common, config)
        found.append(Scenario(name.strip(), words, made, script, path.stem, _peers(peers)))
    return found


def _peers(text: str) -> dict[str, list[str]]:
    pieces = re.split(r"(?m)^@(\S+)\n", text)
    return {place: script.splitlines() for place, script in zip(pieces[1::2], pieces[2::2], strict=True)}


def _merged(*texts: str) -> str:
    """Their parts put together, in the order of first mention."""
    parts: dict[str, str] = {"main": ""}
    for text in texts:
        part = "main"
        for line in text.splitlines(keepends=True):
            if line.startswith("begin "):
                part = line.split()[1]
                parts.setdefault(part, "")
            elif line.strip():
                parts[part] += line
    for part in {"acl", "routers", "transports", "authenticators"} & parts.keys():
        parts[part] = _latest(parts[part])
    return parts.pop("main") + "".join(f"begin {name}\n{text}" for name, text in parts.items())


def _latest(part: str) -> str:
    """Of several ACLs or drivers with one name the last."""
    pieces = re.split(r"(?m)^(\w+:)\n", part)
    named = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    return "".join(f"{name}\n{text}" for name, text in named.items())


def play(town: Town, scenario: Scenario, program: str, directory: Path) -> Seen:
    """`program`: the real one's path, or `pillarbox:exim`."""
    place = Place(directory, scenario.config, FILES)
    options = [word for word in scenario.options if word != "-local"]
    if options == scenario.options and not any(word.startswith("-oM") for word in options):
        options = [*CLIENT, *options]
    is_queued = not any(word.startswith("-od") for word in options)
    mode = [] if any(word in ("-bS", "-bm", "-t", "-bh") for word in options) else ["-bs"]
    words = [program, "-C", str(place.file), *(["-odq"] if is_queued else []), *options, *mode]
    words = [word.replace("{dir}", str(directory)) for word in words]
    ended = town.run(words, scenario.says, peers=scenario.peers)
    if "-local" in scenario.options:
        _settle(place)
    seen = place.see("")

    def lines(data: bytes) -> list[str]:
        text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        return _RANDOM.sub("", place.plain(text)).splitlines()

    spool = {name: _in_order(text) for name, text in seen.spool.items()}
    reject = [level(line, OWN_IDS) for line in seen.reject]
    heard = {
        address: [[_RANDOM.sub("", place.plain(line)) for line in talk] for talk in talks]
        for address, talks in ended.heard.items()
    }
    callouts = _callouts(town, program, place) if scenario.peers else []
    return Seen(
        lines(ended.out),
        ended.code,
        lines(ended.error),
        _plain(seen.main),
        _plain(reject),
        seen.panic,
        spool,
        heard,
        callouts,
    )


def _plain(lines: list[str]) -> list[str]:
    return [_TLS_ERROR.sub("", _RANDOM.sub("", line)) for line in lines]


def _callouts(town: Town, program: str, place: Place) -> list[str]:
    dump = [str(Path(program).with_name("exim_dumpdb"))]
    if program == "pillarbox:exim":
        dump = [sys.executable, "-m", "pillarbox.cli.tools.exim_dumpdb"]
    told = town.run([*dump, str(place.directory / "spool"), "callout"]).out.decode()
    if told.startswith("** Failed to open"):
        return []
    told = told.replace("reject_mfnull", "unknown")  # the real one has no word for it
    return sorted(_AT.sub("", line) for line in told.splitlines())


def _in_order(text: str) -> str:
    """ACL variables come in no order that means anything; what the reception's own comparison looks at is left out."""
    text = "\n".join(line for line in text.split("\n") if not line.startswith(_RECEPTION))
    variables: list[str] = []
    while found := _VARIABLE.search(text):
        variables.append(found[0])
        text = text[: found.start()] + text[found.end() :]
    return text + "".join(sorted(variables))


def _settle(place: Place) -> None:
    """A message of a local program may be taken in behind the command's back."""
    end = time.monotonic() + 2.0
    while not _SETTLED.search(place.log("main")) and time.monotonic() < end:
        time.sleep(0.02)


def without_our_codes(ours: list[str], theirs: list[str]) -> list[str]:
    """Our replies, less the enhanced status codes (RFC 2034) that the real one does not send: it has them only where a text has."""
    made: list[str] = []
    if not any(line.endswith("ENHANCEDSTATUSCODES") for line in theirs):
        ours = [line for line in ours if not line.endswith("ENHANCEDSTATUSCODES")]
    for number, line in enumerate(ours):
        has_one = number < len(theirs) and bool(ENHANCED_CODES.pattern.match(theirs[number]))
        made.append(line if has_one else level(line, ENHANCED_CODES))
    return made
