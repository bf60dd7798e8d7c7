"""A sandbox for one of the two programs: its configuration, and what of its logs and spool is compared.

The real one needs `exim_user = root`: as another user it would not believe `-C`. `HEAD` fixes what names the program.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import NamedTuple

from tests.oracle.flow.levelling import (
    CLIENT_PORTS,
    CONNECTIONS,
    ENHANCED_CODES,
    FROZEN_AT,
    LOADS,
    LOG_STAMPS,
    LOG_TIMES,
    MAIL_DATES,
    OWN_IDS,
    PIDS,
    RECEIVED_AT,
    SPANS,
    Leveller,
    ids_received,
    level,
    numbered,
)

HEAD = """\
keep_environment =
primary_hostname = mx.example
qualify_domain = example.com
exim_user = root
exim_group = root
spool_directory = {dir}/spool
log_file_path = {dir}/log/%slog
never_users =
timezone = UTC
.ifndef OWN_TLS
tls_advertise_hosts =
.endif
.ifndef OWN_BANNER
smtp_banner = $smtp_active_hostname ESMTP MTA
.endif
.ifndef OWN_RECEIVED
received_header_text = Received: ${{if def:sender_rcvhost {{from $sender_rcvhost\\n\\t}}{{${{if def:sender_ident {{from \
${{quote_local_part:$sender_ident}} }}}}${{if def:sender_helo_name {{(helo=$sender_helo_name)\\n\\t}}}}}}}}by $primary_hostname \
${{if def:received_protocol {{with $received_protocol }}}}(MTA)\\n\\t${{if def:sender_address {{(envelope-from <$sender_address>)\\n\\t}}}}\
id $message_exim_id${{if def:received_for {{\\n\\tfor $received_for}}}}
.endif
"""
"""In front of every configuration: `{dir}` is the sandbox; macros OWN_BANNER, OWN_RECEIVED and OWN_TLS leave a line away."""
TAIL = """
begin routers
any:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  file = {dir}/mbox
  user = mail
"""
"""Behind a configuration that has no routers."""
_OWN = {
    r"(?m)^TIME \[\d+\]": "TIME [pid]",
    r"(?m)^\[\d+\]": "pid",
    r"(?<=SMTP connection)( Ci=N)? from (NULL|(\([\w.]+\) )?\[192\.0\.2\.1\](:4711)?)": r"\1 from CLIENT",
    r"lost while reading message data \(\w+( \w+)?\)": "lost while reading message data",
    r"(?m)(^|(?<=\] ))ID\d* (?=notquit|SMTP connection from)": "",
    r"(?<=connection count = )\d+": "N",
    r"<\d+\.[0-9A-Za-z.]+@[^>]*>(?= CHALLENGE)": "CHALLENGE",
}
"""What only receptions show."""
_PLAIN = (
    LOG_STAMPS,
    LOG_TIMES,
    MAIL_DATES,
    OWN_IDS,
    PIDS,
    CONNECTIONS,
    CLIENT_PORTS,
    SPANS,
    LOADS,
    *(Leveller(re.compile(pattern), put) for pattern, put in _OWN.items()),
)
_TIMES = re.compile(r"^(-received_time_usec|-received_time_complete|-pillarbox) .*\n", re.MULTILINE)
_ONLY_EXIMS = ("-max_received_linelength", "-tls_ourcert")
"""Items of -H files: the first has ours only where an ACL has asked for it, the second never (docs/exim-compatibility.md)."""
_ACL_VARIABLE = re.compile(r"--?acl[cm] \S+ (\d+)$")
_MADE_UP = re.compile(r"\d{3,}\* (X-rewrote-|From: |Received: )")
"""Lines that went and that Exim has made itself: to remember an address before it was rewritten, or to be rewritten at once."""
_MARKED = re.compile(r"^--(?=(host_address|received_protocol)\b)")
"""What a proxy tells counts as a host's word here, a usual protocol that -oMr names as ours."""
_ALWAYS_SAID = (
    "purging the environment",
    "no immediate delivery",
    "queued by option",
    "exim 4",
    "pillarbox 0",
    "No server certificate",
    "Suggested action",
    "cwd=",
)


class Seen(NamedTuple):
    replies: str
    """`C: …` and `S: …`, line by line."""
    main: list[str]
    reject: list[str]
    panic: list[str]
    spool: dict[str, str]
    """`1-H`, `1-D`, … → what the file holds; numbered as the messages came."""


class Place:
    """A sandbox with a configuration in it."""

    def __init__(self, directory: Path, configuration: str, files: dict[str, str] | None = None) -> None:
        """`files`: name → text in Latin-1, put beside the configuration; `{dir}` is filled in everywhere."""
        self.directory = directory
        shutil.rmtree(directory, ignore_errors=True)
        for name in ("spool", "log"):
            (directory / name).mkdir(parents=True)
        directory.chmod(0o755)
        has_routers = re.search(r"^begin routers", configuration, re.MULTILINE)
        macros, rest = _macros_first(
            configuration + ("" if has_routers else TAIL.replace("{dir}", "{{dir}}"))
        )
        rest = rest.replace("{{dir}}", str(directory)).replace("{dir}", str(directory))
        self.file = directory / "exim.conf"
        self.file.write_text(macros + HEAD.format(dir=directory) + rest)
        for name, text in (files or {}).items():
            (directory / name).write_bytes(text.replace("{dir}", str(directory)).encode("latin-1"))

    def log(self, name: str) -> str:
        path = self.directory / "log" / f"{name}log"
        return path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""

    def ids(self) -> list[str]:
        """In the order of reception."""
        found = ids_received(self.log("main"))
        return found + sorted(set(self._queued()) - set(found))

    def _queued(self) -> list[str]:
        return [path.name[:-2] for path in (self.directory / "spool" / "input").rglob("*-H")]

    def see(self, replies: str) -> Seen:
        return Seen(
            level(self.plain(replies), ENHANCED_CODES),
            self._lines("main"),
            self._lines("reject"),
            self._lines("panic"),
            self._spooled(),
        )

    def _lines(self, name: str) -> list[str]:
        lines = self.plain(self.log(name)).splitlines()
        return [line for line in lines if not any(word in line for word in _ALWAYS_SAID)]

    def _spooled(self) -> dict[str, str]:
        spooled = {}
        for number, message_id in enumerate(self.ids(), 1):
            for path in sorted((self.directory / "spool" / "input").rglob(f"{message_id}-[HD]")):
                text = path.read_bytes().decode("utf-8", "surrogateescape")
                spooled[f"{number}{path.name[-2:]}"] = self.plain(_plain_spool(text))
        return spooled

    def plain(self, text: str) -> str:
        """Without what differs each time."""
        return level(numbered(text.replace(str(self.directory), "DIR"), self.ids()), *_PLAIN)


def _macros_first(configuration: str) -> tuple[str, str]:
    """Macros that a configuration defines must stand before what asks for them."""
    lines = configuration.splitlines(keepends=True)
    end = next(
        (n for n, line in enumerate(lines) if not re.match(r"[A-Z][A-Z_0-9]*\s*=|\s*$|#", line)), len(lines)
    )
    return "".join(lines[:end]), "".join(lines[end:])


def _items(lines: list[str], at: int) -> tuple[list[str], int]:
    """Those from line `at` on, ACL variables with their values, and the line behind them."""
    items: list[str] = []
    while at < len(lines) and lines[at].startswith("-"):
        found, first = _ACL_VARIABLE.match(lines[at]), at
        at += 1
        left = int(found[1]) + 1 if found else 0
        while left > 0 and at < len(lines):
            left -= len(lines[at].encode("utf-8", "surrogateescape")) + 1
            at += 1
        items.append("\n".join(lines[first:at]))
    return items, at


def _plain_spool(text: str) -> str:
    """Without items that one of the two has alone."""
    text = level(_TIMES.sub("", text), RECEIVED_AT, FROZEN_AT)
    lines = text.split("\n")
    first = next((n for n, line in enumerate(lines) if line.startswith("-")), None)
    if first is not None:
        items, last = _items(lines, first)
        lines[first:last] = [_MARKED.sub("-", item) for item in items if not item.startswith(_ONLY_EXIMS)]
    lines = [line for line in lines if not _MADE_UP.match(line)]
    return "\n".join(lines)
