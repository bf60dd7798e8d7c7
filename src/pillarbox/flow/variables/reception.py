"""Variables about a message's reception when the session is over: what the message has kept of it (Exim 11.9, 57.1).

While the session lasts its own facets come first.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.variables.fields import shown
from pillarbox.language.expand.certificate import certificate
from pillarbox.language.expand.registry import variable
from pillarbox.mail.envelope import Origin
from pillarbox.mail.message import count_zeros, longest_line
from pillarbox.mail.reception import Reception

_AFTERWARDS = -1


def _kept(name: str, read: Callable[[Reception], str | int], doc: str, *, tainted: bool = False) -> None:
    def of_message(facts: MessageFacts) -> str:
        value = read(facts.reception)
        return value if isinstance(value, str) else shown(value)

    variable(name, MessageFacts, doc=doc, tainted=tainted, rank=_AFTERWARDS, absent="")(of_message)


_kept("host_lookup_failed", lambda kept: int(kept.has_no_name), "1: the client has no name.")
_kept(
    "host_lookup_deferred", lambda kept: int(kept.is_name_deferred), "1: the client's name could not be said."
)
_kept("tls_in_resumption", lambda kept: kept.tls_resumption, "Bits that tell how the session was resumed.")
_kept("spam_score", lambda kept: kept.spam_score, "The score with its decimal.", tainted=True)
_kept("spam_score_int", lambda kept: kept.spam_score_int, "The score times ten.", tainted=True)
_kept("spam_bar", lambda kept: kept.spam_bar, "The score as so many + or -.", tainted=True)
_kept("spam_report", lambda kept: kept.spam_report, "What the spam scanner says.", tainted=True)
_kept("spam_action", lambda kept: kept.spam_action, "What the spam scanner would do.", tainted=True)


@variable(
    "max_received_linelength",
    MessageFacts,
    doc="Bytes of the longest line received.",
    tainted=False,
    rank=_AFTERWARDS,
    absent="0",
)
def max_received_linelength(facts: MessageFacts) -> str:
    message = facts.taken or facts.message
    if facts.reception.longest_line or message is None:
        return str(facts.reception.longest_line)
    return str(longest_line(message))


@variable("body_zerocount", MessageFacts, doc="Binary zeros in the body.", tainted=False, absent="0")
def body_zerocount(facts: MessageFacts) -> str:
    return "0" if facts.message is None else str(count_zeros(facts.message.body))


@variable(
    "tls_in_peercert",
    MessageFacts,
    doc="The client's certificate; for ${certextract.",
    tainted=False,
    rank=_AFTERWARDS,
)
def tls_in_peercert(facts: MessageFacts) -> str:
    return certificate(facts.reception.peer_certificate)


@variable(
    "originator_uid",
    Origin,
    doc="User id of the process that handed in the message.",
    tainted=False,
    rank=_AFTERWARDS,
)
def originator_uid(origin: Origin) -> str:
    return str(origin.caller_uid if origin.caller_uid >= 0 else os.getuid())


@variable("originator_gid", Origin, doc="Group id of that process.", tainted=False, rank=_AFTERWARDS)
def originator_gid(origin: Origin) -> str:
    return str(origin.caller_gid if origin.caller_uid >= 0 else os.getgid())


def _of_session(name: str, read: Callable[[Origin], str], doc: str, *, tainted: bool = False) -> None:
    variable(name, Origin, doc=doc, tainted=tainted, rank=_AFTERWARDS)(read)


_NAME = "Distinguished name of the client's certificate."
_of_session("tls_in_peerdn", lambda origin: origin.tls_peer_name, _NAME, tainted=True)
_of_session("tls_peerdn", lambda origin: origin.tls_peer_name, _NAME, tainted=True)
_GOOD = "1: the client's certificate is good."
_of_session("tls_in_certificate_verified", lambda origin: str(int(origin.tls_verified)), _GOOD)
_of_session("tls_certificate_verified", lambda origin: str(int(origin.tls_verified)), _GOOD)
