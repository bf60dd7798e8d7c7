"""Options of `python -m bench`, and the walk through rounds, scenarios and servers: A B C, A B C, …"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from bench.folders import spread_folders
from bench.report import machine, markdown
from bench.result import FIGURES, Cell
from bench.scenarios import deadhost, idle, load, local, queue, queuerun
from bench.servers.choice import SERVERS
from bench.servers.server import PROJECT, Server, Setup, Unavailable

MARKDOWN_HELP = "write the tables, as docs/performance.md has them, to FILE too (they are always printed)"
USUAL = ("maildir", "relay", "idle", "queue")
SCENARIOS = (*USUAL, "local", "deadhost", "queuerun")
Measure = Callable[[type[Server], Setup, int], Cell]
AMOUNTS: dict[str, tuple[int | str, int | str]] = {
    "rounds": (3, 1),
    "concurrency": ("1,10,50", "10"),
    "messages": (3000, 300),
    "idle": (500, 50),
    "queued": (100_000, 2000),
    "dead": (10_000, 300),
}
"""Option: its default, and its default with --quick."""
EXPLANATION = """
scenarios:
  maildir   messages into the Maildirs of 100 users, once per --concurrency
  relay     messages on to a sink, at concurrency 10
  idle      500 SMTP connections that do nothing: memory each
  local     as users of the machine into mbox files and Maildirs (--servers pillarbox-debian,exim-debian), at concurrency 10
  queue     100,000 waiting messages: mailq, memory, acceptance
  deadhost  10,000 messages for a host that hangs up: connects it gets, cost
  queuerun  100,000 messages for a dead host, all due: memory and acceptance while the queue is run

figures:
  msg/s         messages found delivered, from the first connect to the last delivery (file's ctime)
  CPU ms/msg    user and system time of all the server's processes, counted by their control group where one can be made
  p50, p99      from connect (with --reuse: from MAIL) to the 250 after the text
  peak MB       sum of PSS over all the server's processes, sampled twice a second
Every server starts afresh for each cell. Needs root for the peers (they change users), apt to unpack them (tools/peers).
"""


def read_options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure Pillarbox against Debian's Postfix and Exim on loopback, interleaved.",
        epilog=EXPLANATION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="few messages, one round, c10 only: does it all work?")
    add(
        "--servers",
        default="pillarbox,postfix,exim",
        help=f"comma-separated, in running order, of {', '.join(SERVERS)} (default %(default)s)",
    )
    add(
        "--scenarios",
        help=f"comma-separated from {','.join(SCENARIOS)} (default maildir,relay,idle,queue; quick: maildir)",
    )
    add("--relay", action="store_true", help="only the relay scenario")
    add("--concurrency", help="for the maildir scenario (default 1,10,50; quick 10)")
    add("--rounds", type=int, help="medians over so many (default 3; quick 1)")
    add(
        "--messages",
        type=int,
        help="per cell; a third for exim, a quarter at c1 (default 3000; quick 300)",
    )
    add("--size", type=int, default=4096, help="bytes per message (default %(default)s)")
    add("--reuse", action="store_true", help="up to 100 messages per connection instead of one")
    add("--tool", choices=("own", "smtp-source"), default="own", help="load generator (default %(default)s)")
    add(
        "--sink",
        choices=("own", "smtp-sink"),
        default="own",
        help="where relayed mail ends (default %(default)s)",
    )
    add("--idle", type=int, help="connections of the idle scenario (default 500; quick 50)")
    add(
        "--queued", type=int, help="messages of the queue and queuerun scenarios (default 100000; quick 2000)"
    )
    add("--dead", type=int, help="messages of the deadhost scenario (default 10000; quick 300)")
    add("--timeout", type=float, default=300.0, help="seconds per cell (default %(default)s)")
    add(
        "--set",
        action="append",
        default=[],
        metavar="SERVER.NAME=VALUE",
        help="a setting of one server, see bench/servers",
    )
    add("--dir", type=Path, help="where servers keep their data (default .cache/bench; the disk matters)")
    add("--keep", action="store_true", help="do not remove the servers' data afterwards")
    add("--json", type=Path, metavar="FILE", help="write every figure of every round")
    add("--markdown", nargs="?", type=Path, const=Path("-"), metavar="FILE", help=MARKDOWN_HELP)
    options = parser.parse_args(arguments)
    for name, (whole, quick) in AMOUNTS.items():
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else whole)
    default = "maildir" if options.quick else ",".join(USUAL)
    options.scenarios = ("relay" if options.relay else options.scenarios or default).split(",")
    options.servers = options.servers.split(",")
    options.concurrency = [int(value) for value in options.concurrency.split(",")]
    for given, known in ((options.servers, SERVERS), (options.scenarios, SCENARIOS)):
        for name in given:
            if name not in known:
                parser.error(f"{name!r} is none of {', '.join(known)}")
    return options


def plan(options: argparse.Namespace) -> list[tuple[str, Measure]]:
    """What one round does with each server, in order."""
    base = partial(
        load.Load,
        reuse=options.reuse,
        tool=options.tool,
        sink=options.sink,
        size=options.size,
        timeout=options.timeout,
    )

    def loaded(scenario: str, messages: int, concurrency: int, relay: bool) -> Measure:
        def measure(kind: type[Server], setup: Setup, turn: int) -> Cell:
            count = max(50, int(messages * kind.share))
            return load.measure(kind, setup, base(scenario, count, concurrency, relay=relay), turn)

        return measure

    def idling(kind: type[Server], setup: Setup, turn: int) -> Cell:
        return idle.measure(
            kind,
            Setup(setup.folder, connections=options.idle + 100, options=setup.options),
            options.idle,
            turn,
        )

    def locally(scenario: str) -> Measure:
        def measure(kind: type[Server], setup: Setup, turn: int) -> Cell:
            count = max(50, int(options.messages * kind.share))
            return local.measure(kind, setup, base(scenario, count, 10), turn)

        return measure

    def queueing(kind: type[Server], setup: Setup, turn: int) -> Cell:
        work = base(queue.SCENARIO, max(50, int(options.messages * kind.share)), 10)
        return queue.measure(kind, setup, options.queued, work, turn)

    def dying(kind: type[Server], setup: Setup, turn: int) -> Cell:
        count = max(50, int(options.dead * kind.share))
        return deadhost.measure(kind, setup, base(deadhost.SCENARIO, count, 10, relay=True), turn)

    def running(kind: type[Server], setup: Setup, turn: int) -> Cell:
        work = base(queuerun.SCENARIO, max(50, int(options.messages * kind.share)), 10)
        return queuerun.measure(kind, setup, options.queued, work, turn)

    others = {
        "idle": (idle.SCENARIO, idling),
        "queue": (queue.SCENARIO, queueing),
        "deadhost": (deadhost.SCENARIO, dying),
        "queuerun": (queuerun.SCENARIO, running),
    }
    steps: list[tuple[str, Measure]] = []
    for name in options.scenarios:
        match name:
            case "maildir":
                for level in options.concurrency:
                    scenario = f"maildir, concurrency {level}"
                    count = options.messages // 4 if level == 1 else options.messages
                    steps.append((scenario, loaded(scenario, count, level, relay=False)))
            case "relay":
                steps.append(
                    (
                        "relay, concurrency 10",
                        loaded("relay, concurrency 10", options.messages, 10, relay=True),
                    )
                )
            case "local":
                steps += [(scenario, locally(scenario)) for scenario in (local.MBOX, local.MAILDIR)]
            case _:
                steps.append(others[name])
    return steps


def available(names: list[str]) -> dict[str, str]:
    """Version of each server that can run here; says on stderr why another cannot."""
    found = {}
    for name in names:
        try:
            found[name] = SERVERS[name].version()
        except (Unavailable, OSError) as reason:
            say(f"skipping {name}: {reason}")
    return found


def settings(options: argparse.Namespace, server: str) -> dict[str, str]:
    found = {}
    for text in options.set:
        name, _, value = text.partition("=")
        if name.startswith(server + "."):
            found[name.removeprefix(server + ".")] = value
    return found


def measure_all(options: argparse.Namespace, names: list[str], folder: Path) -> list[Cell]:
    cells: list[Cell] = []
    mark = folder.name[-8:]
    for turn in range(1, options.rounds + 1):
        for scenario, measure in plan(options):
            for name in names:
                place = folder / f"{len(cells)}-{name}-{mark}"
                say(f"round {turn}/{options.rounds}, {scenario}, {name} …", end=" ")
                try:
                    cell = measure(SERVERS[name], Setup(place, options=settings(options, name)), turn)
                except (Unavailable, OSError) as reason:
                    cell = Cell(scenario, name, turn, trouble=f"not measured: {reason}")
                cells.append(cell)
                say(brief(cell))
                os.sync()
    return cells


def brief(cell: Cell) -> str:
    shown = [
        f"{FIGURES[name].title} {value:,.{FIGURES[name].digits}f}"
        for name, value in cell.figures.items()
        if name in FIGURES
    ]
    return ", ".join(shown) + (f"  !! {cell.trouble}" if cell.trouble else "")


def say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)


def make_run_folder(where: Path | None) -> Path:
    """A fresh folder that unprivileged servers can reach."""
    parent = where or PROJECT / ".cache" / "bench"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=time.strftime("%H%M%S-"), dir=parent.resolve()))
    folder.chmod(0o755)
    spread_folders(folder)
    closed = [str(path) for path in folder.parents if not path.stat().st_mode & 0o001]
    if closed and os.geteuid() == 0:
        say(f"warning: other users cannot enter {closed[0]}; if servers fail, give --dir elsewhere")
    return folder


def main() -> int:
    options = read_options()
    versions = available(options.servers)
    if not versions:
        say("nothing to measure")
        return 1
    say(f"{machine()}; {', '.join(versions.values())}")
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit("ended by TERM")
    )  # so that servers are stopped and data removed
    folder = make_run_folder(options.dir)
    try:
        cells = measure_all(options, list(versions), folder)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    notes = [
        f"{options.rounds} interleaved rounds, medians; load {options.tool}, {options.size} bytes, "
        + ("up to 100 messages per connection" if options.reuse else "one connection per message"),
    ]
    tables = markdown(cells, versions, notes)
    print(tables, end="")
    if options.markdown and options.markdown != Path("-"):
        options.markdown.write_text(tables)
    if options.json:
        record = {
            "machine": machine(),
            "versions": versions,
            "notes": notes,
            "cells": [asdict(cell) for cell in cells],
        }
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    return 1 if any(cell.trouble for cell in cells) else 0


if __name__ == "__main__":
    sys.exit(main())
