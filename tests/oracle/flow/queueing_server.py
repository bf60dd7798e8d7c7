"""An SMTP server for the queue's comparisons: it answers RCPT, MAIL or the message as the recipient's local part says."""

from __future__ import annotations

import re
import socketserver
import threading
from types import TracebackType


class _Session(socketserver.StreamRequestHandler):
    """`r450` refuses at RCPT with 450, `d451` at the end of the data, `m421` from MAIL on (known by the sender's local part)."""

    def handle(self) -> None:
        self._say("220 live.example ESMTP")
        at_end = ""
        while line := self.rfile.readline():
            word = line[:4].upper()
            wish = re.search(rb"<([rmd])(\d\d\d)", line)
            if word in (b"EHLO", b"HELO"):
                self._say("250-live.example\r\n250 SIZE" if word == b"EHLO" else "250 live.example")
            elif word == b"DATA":
                self._say("354 go on")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                self._say(f"{at_end} said at the end" if at_end else "250 taken")
                at_end = ""
            elif word == b"QUIT":
                self._say("221 bye")
                return
            elif word == b"RCPT" and wish is not None and wish[1] == b"d":
                at_end = wish[2].decode()
                self._say("250 well")
            elif wish is not None and (word, wish[1]) in ((b"RCPT", b"r"), (b"MAIL", b"m")):
                self._say(f"{wish[2].decode()} said to {word.decode()}")
                if wish[2] == b"421":
                    return
            else:
                self._say("250 well")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class LiveServer:
    """Serves while it is entered."""

    def __init__(self) -> None:
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("0.0.0.0", 0), _Session)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> LiveServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
