"""A daemon's ports, tried again for a while where they cannot be had at once (Exim 14.9: `daemon_startup_retries`, `daemon_startup_sleep`).

When a mail server is restarted the old one may not be gone yet, or an address comes up later than we. As with Exim the log says what we wait
for; whoever called `exim -bd` does not wait with us. `pillarbox serve` tries again where the configuration sets the option: a person who
starts it learns at once that a port is taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from pillarbox.app.supervisor import Listener
from pillarbox.config.model import Config
from pillarbox.config.numbers import show_durations
from pillarbox.flow.settings import Listening
from pillarbox.system.listen import CannotListen

Open = Callable[[], tuple[Listener, ...]]
RETRIES = "daemon_startup_retries"


class Patience(msgspec.Struct, frozen=True):
    retries: int
    """Behind the first failure."""
    sleep: float
    """Seconds between them."""


def patience_of(config: Config, *, is_exim: bool) -> Patience:
    """`is_exim`: we were started as Exim is, so that the option counts with its default too."""
    listening = config.main(Listening)
    is_asked_for = is_exim or any(option.name == RETRIES for option in config.raw.main)
    return Patience(listening.daemon_startup_retries if is_asked_for else 0, listening.daemon_startup_sleep)


class Binding:
    """`at_once`, and where that gives nothing `later`."""

    def __init__(
        self,
        open_all: Open,
        patience: Patience,
        say: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`open_all` raises CannotListen. `say`: to the main log. `sleep`: seconds."""
        self._open, self._say, self._sleep = open_all, say, sleep
        self._patience = patience
        self._left = patience.retries

    def at_once(self) -> tuple[Listener, ...] | None:
        """None: not now, but there are more tries. Raises CannotListen when there are none."""
        try:
            return self._open()
        except CannotListen as error:
            if self._left <= 0:
                raise
            pause = show_durations((self._patience.sleep,))
            tries = f"{self._left} more {'try' if self._left == 1 else 'tries'}"
            self._say(f"{error.in_exims_words}: waiting {pause} before trying again ({tries})")
            return None

    def later(self) -> tuple[Listener, ...]:
        """Raises CannotListen."""
        found = None
        while found is None:
            self._sleep(self._patience.sleep)
            self._left -= 1
            found = self.at_once()
        return found
