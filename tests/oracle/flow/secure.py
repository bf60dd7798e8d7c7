"""A dialogue with a program on a socket of its own, with TLS where the script says `!tls`: `python secure.py SCRIPT WORD…`.

SCRIPT is a file in the words of dialogue.py; the words start the program, which has the socket as its input and output. Prints what was said.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from tests.oracle.flow.dialogue import PATIENCE, Dialogue, plain_transcript
from tests.oracle.flow.wires import Wire


def main() -> None:
    here, there = socket.socketpair()
    with there:
        program = subprocess.Popen(sys.argv[2:], stdin=there, stdout=there)
    wire = Wire(here.fileno(), -1, here)
    try:
        print(plain_transcript(Dialogue(wire).hold(Path(sys.argv[1]).read_text())))
    finally:
        wire.drop()
        try:
            program.wait(PATIENCE)
        finally:
            program.kill()


if __name__ == "__main__":
    main()
