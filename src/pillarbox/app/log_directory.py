"""Where the log files lie."""

from __future__ import annotations

from pathlib import Path

from pillarbox.config.model import Config
from pillarbox.flow.settings import Files


def log_directory_of(config: Config) -> Path:
    """Exim's `log_file_path = /var/log/exim4/%slog` names the files; the directory is what we need of it."""
    path = config.main(Files).log_file_path
    if not path:
        return Path(config.main(Files).spool_directory) / "log"
    first = path.split(":")[0].strip()
    return Path(first.rpartition("/")[0] if "%s" in first else first)
