"""A client that says what its standard input tells it: `python client.py [ADDRESS:]PORT [tls] <LINES`. Shows `> line`, and replies as they are.

Waits for the reply of each line, but not for lines of a message (between 354 and `.`), nor behind these:

    !line      says it and goes on            !!b'…'     these octets, as Python writes them
    ?          waits for one more reply       *tls       begins TLS now          *close     closes at once
"""

from __future__ import annotations

import ast
import socket
import ssl
import sys
from typing import BinaryIO


def main() -> None:
    address, _, port = sys.argv[1].rpartition(":")
    with socket.create_connection((address or "127.0.0.1", int(port)), 20) as connection:
        try:
            _talk(_secured(connection) if sys.argv[2:] == ["tls"] else connection)
        except (ConnectionResetError, BrokenPipeError):
            print()  # the server has hung up, only a moment earlier than another one would
        except OSError as error:
            print(f"*** {type(error).__name__}")


def _talk(connection: socket.socket) -> None:
    replies = connection.makefile("rb")
    last = _hear(replies)
    in_message = False
    for line in sys.stdin.buffer.read().decode("utf-8", "surrogateescape").splitlines():
        print(f"> {line}")
        if line == "*close":
            return
        if line == "*tls":
            connection = _secured(connection)
            replies = connection.makefile("rb")
            continue
        if line == "?":
            last = _hear(replies)
            continue
        if line.startswith("!!"):
            connection.sendall(ast.literal_eval(line[2:]))
            continue
        connection.sendall(line.removeprefix("!").encode("utf-8", "surrogateescape") + b"\r\n")
        if line.startswith("!") or (in_message and line != "."):
            continue
        last = _hear(replies)
        in_message = last.startswith("354")
        if not last:
            return


def _secured(connection: socket.socket) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


def _hear(replies: BinaryIO) -> str:
    """The last line of a reply."""
    while True:
        line = replies.readline().decode("utf-8", "surrogateescape").rstrip("\r\n")
        print(line)
        if line[3:4] != "-":
            return line


if __name__ == "__main__":
    main()
