"""Mainlog lines of deliveries: `=>`, `->`, `==`, `**`, `Completed` (Exim 53.7-53.12), for its eximstats and exigrep.

Fields stand in Exim's order: address, (parent), <original>, R=, T=, H=, X=, A=, K, C=. The time stamp is the journal's.
"""

from __future__ import annotations

from typing import assert_never

from pillarbox.flow.transport.job import SKIPPED
from pillarbox.mail.address import split_address
from pillarbox.mail.outcome import Deferred, Delivered, Failed, Outcome

_NUMBERS = {
    "refused": 111,
    "timeout_connect": 110,
    "timeout": 110,
    "unreachable": 113,
    "disk_full": 28,
    "lost_connection": -18,
    "quota": -22,
    "tls_required": -38,
    "auth_failed": -42,
    "rcpt_4xx": -44,
    "mail_4xx": -45,
    "data_4xx": -46,
}
"""What Exim prints in `defer (…)`: the system's error number, or a negative one of its own."""


def outcome_line(message_id: str, outcome: Outcome, *, is_first: bool = True) -> str:
    """One line, without its time stamp. `is_first`: `=>`; the further addresses of one copy have `->`."""
    match outcome:
        case Delivered():
            return _delivered(message_id, outcome, "=>" if is_first else "->")
        case Deferred():
            text = f"{_who(message_id, '==', outcome)}{_how(outcome)} defer ({_number(outcome)})"
            return f"{text}: {outcome.reason.log}" if outcome.reason.log else text
        case Failed():
            return f"{_who(message_id, '**', outcome)}{_how(outcome)}: {outcome.reason.log}"
        case Outcome():
            raise TypeError("an outcome is Delivered, Deferred or Failed")
        case _ as unreachable:
            assert_never(unreachable)


def completed_line(message_id: str) -> str:
    return f"{message_id} Completed"


def _delivered(message_id: str, outcome: Delivered, arrow: str) -> str:
    if outcome.host is None:
        name = outcome.log_word or split_address(outcome.address)[0]
        parent = f" ({outcome.parents[0]})" if outcome.parents else ""
        who = f"{message_id} {arrow} {name}{parent} <{outcome.recipient}>"
        transport = f" T={outcome.transport}" if outcome.transport else ""
        return f"{who} R={outcome.router}{transport}"
    line = f"{_who(message_id, arrow, outcome)}{_how(outcome)}"
    if outcome.chunking:
        line += " K"
    if outcome.reply is not None:
        line += f' C="{_quotable(str(outcome.reply))}"'
    return line


def _who(message_id: str, arrow: str, outcome: Outcome) -> str:
    line = f"{message_id} {arrow} {outcome.address}"
    if outcome.parents:
        line += f" ({outcome.parents[0]})"
    return line if outcome.recipient == outcome.address else f"{line} <{outcome.recipient}>"


def _how(outcome: Outcome) -> str:
    line = f" R={outcome.router}" if outcome.router else ""
    if outcome.transport:
        line += f" T={outcome.transport}"
    if outcome.host is not None:
        line += f" H={outcome.host.name} [{outcome.host.address}]{'*' if outcome.is_reused else ''}"
    if outcome.tls_cipher:
        line += f" X={outcome.tls_cipher} CV=no"
    if outcome.authenticator:
        line += f" A={outcome.authenticator}"
    return line


def _number(outcome: Deferred) -> int:
    if outcome.error == SKIPPED:
        if not outcome.transport:
            return -51
        return -53 if not outcome.retry_keys or outcome.retry_keys[0].count(":") > 1 else -52
    return _NUMBERS.get(outcome.error, 0)


def _quotable(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
