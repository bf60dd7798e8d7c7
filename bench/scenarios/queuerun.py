"""A hundred thousand messages for one dead host, all due: what running the queue takes, and what new mail feels of it.

Acceptance is measured with the same load twice: with an empty queue, and from the moment the server has started on the full
one, which it goes through at once.
"""

import os
from dataclasses import replace

from bench.meter import MemoryWatch
from bench.result import Cell
from bench.scenarios.deadhost import dead_host
from bench.scenarios.load import Load, MaildirCount, measure_started, send, settle
from bench.scenarios.queue import list_queue
from bench.servers.server import Server, Setup

SCENARIO = "queue run"


def measure(kind: type[Server], setup: Setup, queued: int, load: Load, turn: int) -> Cell:
    with dead_host() as host:
        setup = replace(setup, sink_port=host.port)
        empty = run(kind, replace(setup, folder=setup.folder / "empty"), 0, load, turn)
        host.connects = 0
        full = run(kind, replace(setup, folder=setup.folder / "full"), queued, load, turn)
    figures = {name: value for name, value in full.figures.items() if name != "rate"}
    figures["connects"] = float(host.connects)
    figures["empty_rate"], figures["full_rate"] = empty.figures["rate"], full.figures["rate"]
    figures["kept"] = full.figures["rate"] / max(empty.figures["rate"], 1e-6)
    figures["over_base_mb"] = full.figures["memory_mb"] - empty.figures["memory_mb"]
    return Cell(SCENARIO, kind.name, turn, figures, "; ".join(filter(None, (empty.trouble, full.trouble))))


def run(kind: type[Server], setup: Setup, queued: int, load: Load, turn: int) -> Cell:
    server = kind(setup)
    try:
        server.prepare()
        if queued:
            server.fill_queue(queued, is_due=True)
            os.sync()
        server.start()
        with MemoryWatch(server.group, 0.5) as memory:
            send(server, replace(load, messages=20, concurrency=2), "warm")
            cell = measure_started(server, load, MaildirCount(server.maildir_root), turn)
            listing = list_queue(server, 0) if queued else {}
            settle(server, 120.0)
        figures = {**cell.figures, **{name: float(value) for name, value in listing.items()}}
        return replace(cell, figures={**figures, "memory_mb": memory.peak_kb / 1024})
    finally:
        server.stop()
