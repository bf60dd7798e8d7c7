"""MySQL's option files: what the groups `client` and Exim's own say of socket, port and encryption (Exim 9.13.3).

`/etc/my.cnf`, `/etc/mysql/my.cnf` and what they include; later settings win.
Files that cannot be read count as empty, as for the client library.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

FILES = (Path("/etc/my.cnf"), Path("/etc/mysql/my.cnf"))
_GROUPS = ("client", "client-server", "client-mariadb")
_MOST_DEPTH = 5
_MOST_BYTES = 1_000_000


def read_options(group: str, files: tuple[Path, ...] = FILES) -> dict[str, str]:
    """Option → value for a program of that group; `-` and `_` in names are one. Blocks: call it in a thread."""
    wanted, options = {*_GROUPS, group}, {}
    for file in files:
        for section, name, value in _settings(file, _MOST_DEPTH):
            if section in wanted:
                options[name.replace("_", "-")] = value
    return options


def _settings(file: Path, depth: int) -> Iterator[tuple[str, str, str]]:
    try:
        with file.open("rb") as opened:
            lines = opened.read(_MOST_BYTES).decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    section = ""
    for line in map(str.strip, lines):
        if line.startswith("["):
            section = line[1:].partition("]")[0].strip()
        elif line.startswith("!") and depth:
            for included in _included(line):
                yield from _settings(included, depth - 1)
        elif line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield section, name.strip(), _unquoted(value.strip())


def _included(line: str) -> list[Path]:
    word, _, path = line.partition(" ")
    match word:
        case "!include":
            return [Path(path.strip())]
        case "!includedir":
            return sorted(Path(path.strip()).glob("*.cnf"))
        case _:
            return []


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] in "'\"" and value[-1] == value[0] else value


def tls_of(options: Mapping[str, str]) -> ssl.SSLContext | None:
    """Encryption as the option file wants it; None: none. Raises OSError (files), ssl.SSLError."""
    asked = options.keys() & {"ssl", "ssl-ca", "ssl-capath", "ssl-cert", "ssl-verify-server-cert"}
    if not asked or options.get("ssl", "1").lower() in ("0", "off", "false"):
        return None
    verifies = "ssl-verify-server-cert" in options and options["ssl-verify-server-cert"].lower() not in (
        "0",
        "off",
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = verifies
    if "ssl-ca" in options or "ssl-capath" in options:
        context.load_verify_locations(options.get("ssl-ca"), options.get("ssl-capath"))
    elif verifies:
        context.load_default_certs()
    else:
        context.verify_mode = ssl.CERT_NONE
    if "ssl-cert" in options:
        context.load_cert_chain(options["ssl-cert"], options.get("ssl-key"))
    return context
