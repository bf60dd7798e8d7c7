"""The time zone of this process, in whose words logs, Date: and `$tod_…` tell the time."""

from __future__ import annotations

import os
import time

from pillarbox.config.model import Config
from pillarbox.flow.settings import Logging


def use_timezone(config: Config) -> None:
    """`timezone`. Where that is empty a caller's TZ does not count either, so that one log has one zone (Exim 14.23)."""
    name = config.main(Logging).timezone
    if name:
        os.environ["TZ"] = name
    else:
        os.environ.pop("TZ", None)
    time.tzset()
