"""Lines of a message's own log, `msglog/ID` (Exim 53.16; checked against 4.100).

They are those of the main log without the flags, but a delivery is only named, every host that failed has a line, and what was not due has none.
"""

from __future__ import annotations

from pillarbox.mail.arrival import Arrival
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import Deferred, Delivered, Failed, Outcome
from pillarbox.wire.exim.log_line import line_received, printable
from pillarbox.wire.exim.log_style import USUAL, LogStyle
from pillarbox.wire.exim.outcome_line import line_host_trouble, remote_host

BEGIN = "Received from "
_AT_RCPT = "SMTP error from remote mail server after RCPT TO:"
_FOR_WHOM = frozenset(("received_sender", "received_recipients"))
UNSTAMPED = "*** "
"""Begins the lines that carry no time."""
_NO_ADDRESS = ("|", "/", ">", ":", "save ")
"""How the words of the main log begin that stand for what redirection made of an address; others are the address in short."""


def line_begin(
    envelope: Envelope,
    message: Message,
    *,
    reference: str = "",
    style: LogStyle = USUAL,
    arrival: Arrival | None = None,
) -> str:
    """The first line: where the message came from, but not for whom."""
    if style.shows("received_sender") or style.shows("received_recipients"):
        style = LogStyle(style.selected - _FOR_WHOM, is_default=False)
    line = line_received(envelope, message, reference=reference, style=style, arrival=arrival)
    return BEGIN + line.partition("= ")[2]


def line_children_done(parent: str) -> str:
    """Of an address that was redirected."""
    return f"{printable(parent)}: children all complete"


def lines_outcome(outcome: Outcome, main_line: str, style: LogStyle = USUAL) -> list[str]:
    """`main_line`: what the main log says of it."""
    if isinstance(outcome, Delivered):
        by = f"{outcome.transport} transport" if outcome.transport else f"{outcome.router} router"
        if outcome.transport == "**bypassed**":
            by = "**bypassed**"
        is_no_address = outcome.log_word.startswith(_NO_ADDRESS)
        name = printable(outcome.log_word if is_no_address else outcome.address)
        above = outcome.parents[0] if outcome.parents else outcome.recipient
        parent = f" <{printable(above)}>" if above != outcome.address else ""
        return [f"{name}{parent}: {by} succeeded"]
    line = main_line.split(" ", 2)[2]
    if isinstance(outcome, Failed) and not outcome.router and not outcome.transport:
        line = f"routing failed for {line}"
    if isinstance(outcome, Failed) and outcome.host is not None and outcome.reason.log.startswith(_AT_RCPT):
        return [f"H={remote_host(outcome.host)} {printable(outcome.reason.log)}", line]
    if outcome.host is None or outcome.host_trouble == "":
        return [line]
    if isinstance(outcome, Deferred) and outcome.error == "rcpt_4xx":
        return [f"H={remote_host(outcome.host)} {printable(outcome.reason.log)}", line]
    text = outcome.host_trouble
    if text is None and isinstance(outcome, Deferred):
        text = outcome.reason.log
    if text is None:
        return [line]
    error = outcome.error if isinstance(outcome, Deferred) else ""
    return [line_host_trouble("", outcome.host, text, error, style).lstrip(), line]


def line_frozen(why: str = "") -> str:
    return f"{UNSTAMPED}Frozen ({why})" if why else f"{UNSTAMPED}Frozen"
