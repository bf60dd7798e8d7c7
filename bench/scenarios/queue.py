"""A hundred thousand waiting messages: how soon mailq prints, what it takes to hold them, whether acceptance suffers.

The queue is written as files while the server is down. Acceptance is measured twice with the same load into Maildirs:
with an empty queue and with the long one, each on a freshly started server.
"""

import os
import signal
import time
from dataclasses import replace

from bench.meter import Group
from bench.result import Cell
from bench.scenarios.load import Load, MaildirCount, measure_started, send, settle
from bench.servers.server import Server, Setup

SCENARIO = "long queue"
PATIENCE = 120.0


def measure(kind: type[Server], setup: Setup, queued: int, load: Load, turn: int) -> Cell:
    done = {}
    for count in (0, queued) if turn % 2 else (queued, 0):  # whoever comes first finds colder caches
        done[count] = run(kind, replace(setup, folder=setup.folder / f"with-{count}"), count, load, turn)
    empty, full = done[0], done[queued]
    figures = {name: value for name, value in full.figures.items() if name != "rate"}
    figures["empty_rate"], figures["full_rate"] = empty.figures["rate"], full.figures["rate"]
    figures["kept"] = full.figures["rate"] / max(empty.figures["rate"], 1e-6)
    return Cell(SCENARIO, kind.name, turn, figures, "; ".join(filter(None, (empty.trouble, full.trouble))))


def run(kind: type[Server], setup: Setup, queued: int, load: Load, turn: int) -> Cell:
    server = kind(setup)
    try:
        server.prepare()
        if queued:
            server.fill_queue(queued)
            os.sync()
        began = time.monotonic()
        server.start()
        ready = time.monotonic() - began
        settle(server, 30.0)
        listing = list_queue(server, queued) if queued else {}
        trouble = str(listing.pop("trouble", ""))
        send(server, replace(load, messages=20, concurrency=2), "warm")
        settle(server, 10.0)
        cell = measure_started(server, load, MaildirCount(server.maildir_root), turn)
        figures = {
            "ready_s": ready,
            **cell.figures,
            **{name: float(value) for name, value in listing.items()},
        }
        return replace(cell, figures=figures, trouble="; ".join(filter(None, (trouble, cell.trouble))))
    finally:
        server.stop()


def list_queue(server: Server, queued: int) -> dict[str, float | str]:
    """Run mailq to its end: first line, whole time, largest RSS of mailq itself, and lines that name the waiting recipient."""
    group = Group(server.name + "-mailq")
    began = time.monotonic()
    process = server.spawn(server.list_queue(), group=group)
    assert process.stdout is not None
    first_line, named = b"", 0
    try:
        first_line = process.stdout.readline()
        first = time.monotonic() - began
        while (line := process.stdout.readline()) and time.monotonic() - began < PATIENCE:
            named += b"nowhere.invalid" in line
        whole = time.monotonic() - began
    finally:
        os.kill(process.pid, signal.SIGKILL)  # not process.kill(), which may reap it and lose its usage
        _, process.returncode, usage = os.wait4(process.pid, 0)
        process.stdout.close()
        group.remove()
    found: dict[str, float | str] = {
        "mailq_first_s": first,
        "mailq_all_s": whole,
        "mailq_mb": usage.ru_maxrss / 1024,
    }
    named += b"nowhere.invalid" in first_line
    if named < queued:
        found["trouble"] = f"mailq named {named} of {queued} messages"
    return found
