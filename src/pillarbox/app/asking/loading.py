"""The configuration for a question; what is wrong with it is told as Exim tells it, one problem at a time."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

from pillarbox.app.configuration import load_config
from pillarbox.app.zone import use_timezone
from pillarbox.config.errors import ConfigError
from pillarbox.config.model import Config


def load_or_complain(path: Path, macros: Mapping[str, str] | None = None) -> Config | None:
    """None: standard error has the first problem; the command ends with 1."""
    try:
        config = load_config(path, macros, serving=False)
    except ConfigError as error:
        print(stamped(error.problems[0].exim_form), file=sys.stderr)
        return None
    use_timezone(config)
    return config


def stamped(text: str) -> str:
    """With the time in front, as a log line has it."""
    return f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}"
