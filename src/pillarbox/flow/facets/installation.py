"""What runs, where it was started, and with which configuration."""

from __future__ import annotations

import msgspec

EXIM_VERSION = "4.100.1"
"""The Exim whose language and behaviour this is: configurations ask for it."""


class Installation(msgspec.Struct, frozen=True):
    """A facet of every scope of a program that has read a configuration."""

    config_file: str = ""
    """Absolute path of the configuration."""
    initial_cwd: str = ""
    """Where the program was started."""
    queue_size: str = ""
    """Messages in the queue, when somebody has counted them."""
