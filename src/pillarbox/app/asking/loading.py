"""The configuration for a question; what is wrong with it is told as Exim tells it, one problem at a time."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

from pillarbox.app.asking.caller import is_admin, owns_queue
from pillarbox.app.configuration import load_config
from pillarbox.app.zone import use_timezone
from pillarbox.config.errors import ConfigError
from pillarbox.config.model import Config
from pillarbox.flow.settings import Trust


def load_or_complain(path: Path, macros: Mapping[str, str] | None = None) -> Config | None:
    """None: standard error has the first problem; the command ends with 1."""
    try:
        config = load_config(path, macros, serving=False)
    except ConfigError as error:
        print(stamped(error.problems[0].exim_form), file=sys.stderr)
        return None
    use_timezone(config)
    return config


def load_for_checks(path: Path, macros: Mapping[str, str] | None = None) -> Config | None:
    """The same for `-be`, `-bt`, `-bh` and their like, which `commandline_checks_require_admin` leaves to administrators."""
    config = load_or_complain(path, macros)
    if config is None or not config.main(Trust).commandline_checks_require_admin:
        return config
    if is_admin(config) or owns_queue(config):
        return config
    print("exim: those command-line flags are set to require admin", file=sys.stderr)
    return None


def stamped(text: str) -> str:
    """With the time in front, as a log line has it."""
    return f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}"
