"""Which configuration a command works on, and what it must know of it before anything else is imported."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pillarbox.app.data_folder import DataFolder, find_configuration, is_there, places

if TYPE_CHECKING:
    import argparse

EX_USAGE, EX_UNAVAILABLE, EX_SOFTWARE, EX_CANTCREAT, EX_TEMPFAIL, EX_CONFIG = 64, 69, 70, 73, 75, 78
_SPOOL = re.compile(r"^\s*spool_directory\s*=\s*(\S.*?)\s*$", re.MULTILINE)


def fail(text: str, code: int = 1) -> NoReturn:
    """Say what is wrong and end."""
    print(text, file=sys.stderr)
    sys.exit(code)


def add_place(parser: argparse.ArgumentParser, *, otherwise: str = "") -> None:
    """Declare the options that name a configuration. `otherwise`: what is done when there is none."""
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help=f"data folder; default: the first configuration found, see FILES in pillarbox(8){otherwise}",
    )
    parser.add_argument("-C", "--config", metavar="FILE", help="configuration file")


def choose_configuration(config: str | None, data: str | None) -> Path:
    """The file named by `-C`/`--config` or in `--data`, else the first found. Ends the command when there is none."""
    if config:
        path = Path(config).absolute()
        if not _is_there(path):
            fail(f"{path}: no such configuration file", EX_CONFIG)
        return path
    if data:
        path = DataFolder(Path(data)).configuration
        if not _is_there(path):
            fail(f"{path} does not exist; `pillarbox serve --data {data}` makes it", EX_CONFIG)
        return path
    found = existing_configuration()
    if found is None:
        tried = "\n  ".join(str(path) for path in places())
        fail(
            "no configuration found; name one with -C FILE, --data FOLDER or PILLARBOX_CONFIG, or run "
            f"`pillarbox serve` once. Looked for:\n  {tried}",
            EX_CONFIG,
        )
    return found


def _is_there(path: Path) -> bool:
    """Ends the command when that cannot be said."""
    try:
        return is_there(path)
    except OSError as error:
        fail(f"{path}: {error.strerror}", EX_CONFIG)


def existing_configuration() -> Path | None:
    """The first found where configurations are. Ends the command when we may not look there: one of a later place would not be meant."""
    try:
        return find_configuration()
    except OSError as error:
        fail(f"cannot look for {error.filename}: {error.strerror}", EX_CONFIG)


def spool_directory(config: Path) -> Path:
    """The spool that the configuration names, read without building it all: enough for commands that only talk to the daemon.

    A value with macros or expansions needs the whole configuration, and is read through it. Ends the command when the file cannot be read.
    """
    try:
        found = _SPOOL.findall(config.read_text("utf-8", errors="replace"))
    except OSError as error:
        fail(f"cannot read {config}: {error.strerror}", EX_CONFIG)
    if found and "$" not in found[-1] and found[-1].startswith("/"):
        return Path(found[-1])
    from pillarbox.app.configuration import load_config
    from pillarbox.flow.settings import Files

    return Path(load_config(config, serving=False).main(Files).spool_directory)
