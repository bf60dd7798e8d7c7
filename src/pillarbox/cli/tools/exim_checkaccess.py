"""`exim_checkaccess IP-ADDRESS EMAIL-ADDRESS [OPTION ...]`: would a host be allowed to send to an address? (Exim 54.8)

`exim -bh` with an envelope; of its answers only the one to RCPT is told. `-f ADDRESS` is the envelope's sender, other options are `exim`'s.
"""

from __future__ import annotations

import ipaddress
import re
import subprocess
import sys
from collections.abc import Iterator

from pillarbox.cli.tools.running import carry_out

USAGE = "Usage: exim_checkaccess <IP address> <email address> [exim options]"
TIMEOUT = 600.0
"""Seconds for the whole session."""
_EXIM = "import sys; from pillarbox.cli.exim import main; main()"
_LAST_LINE = re.compile(r"\d{3}(?: |$)")
BEFORE_RCPT = 3
"""Replies: the greeting, HELO, MAIL."""


def main() -> None:
    carry_out(run)


def run(arguments: list[str]) -> int:
    if len(arguments) < 2:
        print(USAGE)
        return 1
    host, recipient, *options = arguments
    try:
        ipaddress.ip_address(host)
    except ValueError:
        print(f'** Invalid IP address "{host}"\n{USAGE}')
        return 1
    sender = ""
    if "-f" in options[:-1]:
        at = options.index("-f")
        sender = options[at + 1].strip("<>")
        del options[at : at + 2]
    commands = f"HELO [{host}]\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nQUIT\r\n"
    ended = subprocess.run(
        [sys.executable, "-c", _EXIM, "-bh", host, *options],
        input=commands.encode("utf-8", "surrogateescape"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=TIMEOUT,
        check=False,
    )
    answers = list(replies(ended.stdout.decode("utf-8", "surrogateescape")))
    if len(answers) > BEFORE_RCPT:
        _tell(answers[BEFORE_RCPT])
    return 0


def replies(text: str) -> Iterator[list[str]]:
    """SMTP replies, each with its lines; everything else is left out."""
    lines: list[str] = []
    for line in text.splitlines():
        if not re.match(r"\d{3}", line):
            continue
        lines.append(line)
        if _LAST_LINE.match(line):
            yield lines
            lines = []


def _tell(reply: list[str]) -> None:
    if reply[0].startswith("2"):
        print("Accepted")
    else:
        print("\n".join(["Rejected:", *(f"  {line}" for line in reply)]))


if __name__ == "__main__":
    main()
