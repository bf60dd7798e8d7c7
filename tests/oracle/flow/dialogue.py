"""SMTP scripts spoken on standard input to both programs (`-bs`), in a sandbox each: replies, logs and what lies in the spool.

A file of scenarios: `=== name [options]` begins one; then configuration lines; `---`, and what the client says. Configuration in front of the first
is that of all in the file. A scenario's lines go to the part of the configuration they belong to: behind the last `begin NAME` line, and before
any of them to the main part. `DIR` is the sandbox. In the script each line is sent with CRLF; `\\xHH` and `\\n` stand for bytes, a line that
ends in `\\` is sent without CRLF. Options are words for the command line; without `-oM…` the client is `[192.0.2.1]:1234`.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import msgspec
from tests.oracle.flow.town import Ended, Town

CLIENT = ["-oMa", "[192.0.2.1]:1234", "-oMt", "caller"]
BASE = {
    "main": """\
exim_path = EXIM
keep_environment =
exim_user = root
exim_group = root
spool_directory = DIR/spool
log_file_path = DIR/log/%slog
primary_hostname = mx.example
qualify_domain = example.com
never_users =
timezone =
smtp_banner = mx.example here
received_header_text = Received: by mx.example id $message_exim_id${if def:received_for{ for $received_for}}
""",
}
_ID = re.compile(r"\b[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4}\b")
_NOISE = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"[A-Z][a-z]{2}, +\d+ [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}"), "DATE"),
    (re.compile(r"pid[= ]\d+"), "pid"),
    (re.compile(r"\b1\d{9}\b(\.\d+)?"), "EPOCH"),
    (re.compile(r"^-received_time_usec.*$", re.MULTILINE), "-received_time_usec"),
)
_ENHANCED = re.compile(r"^(\d{3}[ -])\d\.\d{1,3}\.\d{1,3} ")
_SPLIT = re.compile(r"(?m)^=== (.*)\n")


class Scenario(msgspec.Struct, frozen=True):
    name: str
    options: list[str]
    config: str
    script: str

    @property
    def says(self) -> bytes:
        lines = self.script.splitlines()
        text = "".join(line[:-1] if line.endswith("\\") and line[-2:] != "\\\\" else f"{line}\r\n" for line in lines)
        return re.sub(
            r"\\(x[0-9a-fA-F]{2}|n|\\)",
            lambda found: {"n": "\n", "\\": "\\"}.get(found[1]) or chr(int(found[1][1:], 16)),
            text,
        ).encode("latin-1")


class Seen(msgspec.Struct, frozen=True):
    replies: list[str]
    code: int
    error: list[str]
    mainlog: list[str]
    rejectlog: list[str]
    paniclog: list[str]
    spool: dict[str, str]
    """`ID1-H` → text."""


def scenarios(path: Path) -> list[Scenario]:
    common, *parts = _SPLIT.split(path.read_text())
    found = []
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        name, _, options = title.partition(" -")
        config, _, script = text.partition("---\n")
        words = f"-{options}".split() if options else []
        found.append(Scenario(name.strip(), words, _merged(common, config), script))
    return found


def _merged(*texts: str) -> str:
    """Their parts put together, in the order of first mention."""
    parts: dict[str, str] = dict(BASE)
    for text in texts:
        part = "main"
        for line in text.splitlines(keepends=True):
            if line.startswith("begin "):
                part = line.split()[1]
                parts.setdefault(part, "")
            elif line.strip():
                parts[part] += line
    return parts.pop("main") + "".join(f"begin {name}\n{text}" for name, text in parts.items())


def play(town: Town, scenario: Scenario, program: str, exim: str, directory: Path) -> Seen:
    """`program`: the real one's path, or `pillarbox:exim`."""
    shutil.rmtree(directory, ignore_errors=True)
    for name in ("spool", "log", "files"):
        (directory / name).mkdir(parents=True)
    config = directory / "exim.conf"
    config.write_text(scenario.config.replace("DIR", str(directory)).replace("EXIM", exim))
    options = scenario.options if any(w.startswith("-oM") for w in scenario.options) else [*CLIENT, *scenario.options]
    is_queued = not any(word.startswith("-od") for word in options)
    mode = [] if any(word in ("-bS", "-bm", "-t", "-bh") for word in options) else ["-bs"]
    words = [program, "-C", str(config), *mode, *(["-odq"] if is_queued else []), *options]
    return see(town.run([word.replace("DIR", str(directory)) for word in words], scenario.says), directory)


def see(ended: Ended, directory: Path) -> Seen:
    ids = _ids(directory)

    def lines(text: str) -> list[str]:
        return plain(text, directory, ids).splitlines()

    def log(name: str) -> list[str]:
        path = directory / "log" / name
        text = path.read_text("utf-8", "surrogateescape") if path.exists() else ""
        return [line for line in lines(text) if "purging the environment" not in line]

    return Seen(
        lines(ended.out.decode("utf-8", "surrogateescape").replace("\r\n", "\n")),
        ended.code,
        lines(ended.error.decode("utf-8", "surrogateescape")),
        log("mainlog"),
        log("rejectlog"),
        log("paniclog"),
        {
            plain(path.name, directory, ids): plain(path.read_text("utf-8", "surrogateescape"), directory, ids)
            for path in sorted((directory / "spool" / "input").rglob("*-[HDJ]"))
        },
    )


def _ids(directory: Path) -> list[str]:
    log = directory / "log" / "mainlog"
    return list(dict.fromkeys(_ID.findall(log.read_text("utf-8", "replace")))) if log.exists() else []


def plain(text: str, directory: Path, ids: list[str]) -> str:
    """Without what differs each time."""
    text = text.replace(str(directory), "DIR")
    for number, message_id in enumerate(ids, 1):
        text = text.replace(message_id, f"ID{number}")
    for pattern, replacement in _NOISE:
        text = pattern.sub(replacement, text)
    return _ID.sub("ID", text)


def without_enhanced_codes(ours: list[str], theirs: list[str]) -> list[str]:
    """Our replies, less the enhanced status codes (RFC 2034) that the real one does not send: it has them only where a text has."""
    made = []
    for number, line in enumerate(ours):
        bare = _ENHANCED.sub(r"\1", line)
        has_one = number < len(theirs) and bool(_ENHANCED.match(theirs[number]))
        made.append(line if has_one else bare)
    return made
