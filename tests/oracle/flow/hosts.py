"""Mail servers for a namespace of its own, each by its script: `python hosts.py SCRIPTS HEARD`.

SCRIPTS holds lines `ADDRESS[:PORT] LINE` (`[ADDRESS]` where it has colons) in the words of scripted.py. Prints `ready`; on SIGTERM it
writes what each heard into HEARD as JSON.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from tests.oracle.flow.scripted import ScriptedPeer


def main() -> None:
    scripts: dict[str, list[str]] = {}
    for line in Path(sys.argv[1]).read_text().splitlines():
        place, _, rule = line.partition(" ")
        scripts.setdefault(place, []).append(rule)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # in the servers' threads too
    peers = {place: _peer(place, script) for place, script in scripts.items()}
    print("ready", flush=True)
    signal.sigwait([signal.SIGTERM])
    for peer in peers.values():
        peer.close()
    Path(sys.argv[2]).write_text(json.dumps({place: peer.heard for place, peer in peers.items()}))


def _peer(place: str, script: list[str]) -> ScriptedPeer:
    address, _, port = place.removeprefix("[").partition("]:" if place.startswith("[") else ":")
    address = address.removesuffix("]")
    context = None
    if any("tls" in line.split() for line in script):
        from tests.oracle.flow.remote import tls_of

        context = tls_of("mx", " ".join(script))
    return ScriptedPeer(address, script, context, int(port or 25))


if __name__ == "__main__":
    main()
