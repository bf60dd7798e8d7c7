"""`exicyclog [-k COUNT] [-l PATH] [-C FILE]`: rotate mainlog, rejectlog and paniclog (Exim 54.6).

`mainlog` becomes `mainlog.01`, that one `mainlog.02.gz`, and so on; what has a number above COUNT goes, as the specification has it (Exim's
script removes the one that falls off and leaves those that were above already). New files are begun with the owner and mode of the old
ones, and a daemon is told to open them.
"""

from __future__ import annotations

import getopt
import gzip
import os
import shutil
import signal
import sys
from pathlib import Path

from pillarbox.app.configuration import load_config
from pillarbox.app.data_folder import find_configuration
from pillarbox.app.log_directory import log_directory_of
from pillarbox.cli.places import choose_configuration, spool_directory
from pillarbox.cli.tools.running import carry_out
from pillarbox.config.errors import ConfigError

KEEP = 10
LOGS = ("mainlog", "rejectlog", "paniclog")


def main() -> None:
    carry_out(run)


def run(arguments: list[str]) -> int:
    """Nothing is done without a main log."""
    try:
        pairs, words = getopt.getopt(arguments, "k:l:C:")
        if words:
            raise getopt.GetoptError("", words[0])
    except getopt.GetoptError as error:
        print(f"** exicyclog: unknown option {error.opt if not error.msg else f'-{error.opt}'}")
        return 1
    options = dict(pairs)
    if not options.get("-k", "1").isdecimal():
        print("** exicyclog: -k needs a number")
        return 1
    config = _configuration(options)
    try:
        paths = _paths(options.get("-l", ""), config)
        if paths[0].exists():
            for path in paths:
                cycle(path, int(options.get("-k", KEEP)))
    except ConfigError as error:
        print(f"exicyclog: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"exicyclog: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    if config is not None:
        _tell_daemon(spool_directory(config))
    return 0


def _configuration(options: dict[str, str]) -> Path | None:
    """Where `-l` says which logs there is need of none. Ends the command when there is none otherwise."""
    if "-C" not in options and "-l" in options:
        return find_configuration()
    return choose_configuration(options.get("-C"), None)


def _paths(path: str, config: Path | None) -> list[Path]:
    """`path` as `log_file_path` has it, `%s` standing for main, reject and panic; without one, all is written to that file."""
    if path or config is None:
        return list(dict.fromkeys(Path(path.replace("%s", name)) for name in ("main", "reject", "panic")))
    directory = log_directory_of(load_config(config, serving=False))
    return [directory / name for name in LOGS]


def cycle(log: Path, keep: int) -> None:
    """Nothing is done when there is no log. Raises OSError."""
    if not log.exists():
        return
    width = 3 if keep > 99 else 2
    _drop(log, keep, width)
    for number in range(keep - 1, 0, -1):
        for suffix in ("", ".gz"):
            old = Path(f"{log}.{number:0{width}d}{suffix}")
            if old.exists():
                old.rename(f"{log}.{number + 1:0{width}d}{suffix}")
    first = Path(f"{log}.{1:0{width}d}")
    log.rename(first)
    _begin(log, like=first.stat())
    second = Path(f"{log}.{2:0{width}d}")
    if second.exists():
        _compress(second)


def _begin(log: Path, *, like: os.stat_result) -> None:
    """An empty file that the same people may read and write."""
    log.touch()
    if os.geteuid() == 0:
        os.chown(log, like.st_uid, like.st_gid)
    log.chmod(like.st_mode & 0o777)


def _drop(log: Path, keep: int, width: int) -> None:
    """Those that would get a number above `keep`."""
    for path in log.parent.glob(f"{log.name}.*"):
        number = path.name[len(log.name) + 1 :].removesuffix(".gz")
        if number.isdigit() and len(number) == width and int(number) >= keep:
            path.unlink()


def _compress(path: Path) -> None:
    status = path.stat()
    packed = Path(f"{path}.gz")
    with path.open("rb") as source, gzip.open(packed, "wb") as target:
        shutil.copyfileobj(source, target)
    packed.chmod(status.st_mode & 0o777)
    if os.geteuid() == 0:
        os.chown(packed, status.st_uid, status.st_gid)
    os.utime(packed, (status.st_atime, status.st_mtime))
    path.unlink()


def _tell_daemon(spool: Path) -> None:
    try:
        os.kill(int((spool / "pillarbox.pid").read_text()), signal.SIGUSR1)
    except (OSError, ValueError):
        return


if __name__ == "__main__":
    main()
