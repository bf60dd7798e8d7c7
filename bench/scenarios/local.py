"""Messages delivered as a hundred users of the machine, by Debian's configuration: into mbox files in one directory, into Maildirs at home.

For the servers that have it (`exim-debian`, `pillarbox-debian`): the same configuration, the same files, each delivery with the user's rights.
"""

from dataclasses import replace

from bench.mboxes import MboxCount
from bench.result import Cell
from bench.scenarios import load
from bench.servers.debian import Debian
from bench.servers.server import Server, Setup, Unavailable

MBOX, MAILDIR = "local, mbox", "local, Maildir"


def measure(kind: type[Server], setup: Setup, work: load.Load, turn: int) -> Cell:
    """`work.scenario` says into what."""
    if not issubclass(kind, Debian):
        raise Unavailable("only servers with Debian's configuration deliver as users of the machine")
    if work.scenario == MAILDIR:
        return load.measure(kind, setup, work, turn)
    server = kind(replace(setup, options={**setup.options, "delivery": "mail_spool"}))
    counter = MboxCount(server.mail_spool)
    try:
        server.prepare()
        server.start()
        warm = replace(work, messages=load.WARM_UP, concurrency=min(work.concurrency, 5), tool="own")
        accepted = load.send(server, warm, "warm").accepted
        if counter.wait(accepted, 60.0) < load.WARM_UP:
            raise Unavailable(f"{server.name} did not deliver the warm-up: {server.last_words()}")
        return load.measure_started(server, work, counter, turn)
    finally:
        server.stop()
