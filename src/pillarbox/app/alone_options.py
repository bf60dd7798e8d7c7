"""How a command that works without a daemon does it: plain values, cheap to import."""

from __future__ import annotations

from typing import NamedTuple


class AloneOptions(NamedTuple):
    """From the command line."""

    macros: tuple[tuple[str, str], ...] = ()
    delivery: str = ""
    """`b`, `i`, `q` or `qs` of `-od…`; empty: in the background."""
    is_verbose: bool = False
    """`-v`: what is logged is told on standard error too, and what goes over SMTP connections."""
    is_dry: bool = False
    """`-N`."""
    about: tuple[tuple[str, str], ...] = ()
    """`-oM…`, by its letters."""
    reference: str = ""
    """`-oMm`, `-E`: the message that these are about."""
    has_own_configuration: bool = False
    is_queue_run: bool = False
    syslog_name: str = ""
    """`-L`."""
    queue: str = ""
    """The named queue to work on (`-qG`)."""
    ages: tuple[float, ...] = ()
    """`-Tqt`: seconds, of the messages in the order in which they are tried."""
    suppresses_fixups: bool = False
    """`-G`, of a trusted caller."""
    keeps_unqualified: bool = False
    """`-bnq`."""
    is_tls_on_connect: bool = False
    """`-tls-on-connect`."""
    smtp_receive_timeout: float = 0.0
    """`-os`; 0: as the configuration has it."""

    @property
    def needs_own_process(self) -> bool:
        """Whether a daemon cannot do it in our place: the caller wants to wait, to see, or to have it otherwise than configured."""
        return bool(
            self.delivery == "i"
            or self.is_verbose
            or self.is_dry
            or self.about
            or self.suppresses_fixups
            or self.has_own_configuration
            or self.queue
            or self.syslog_name
            or self.ages
        )
